"""Each mode as two people's browsers show it, with a real server between them."""

import pytest
from playwright.async_api import expect

from tests.helpers.browsers import SAFARI
from tests.helpers.visitor import fill_in
from tests.servers.waiting import await_until
from tests.site.people import STAFF

ANDROID = "Mozilla/5.0 (Linux; Android 14; %s) AppleWebKit/537.36 (KHTML, like Gecko) "
PIXEL = ANDROID % "Pixel 7" + "Chrome/140.0.0.0 Mobile Safari/537.36"
GALAXY_TAB = ANDROID % "SM-X710" + "Chrome/140.0.0.0 Safari/537.36"
STRICT = "default-src 'self'; script-src 'self'; style-src 'self'; form-action 'self'"


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, page, site):
        self.page = page
        self.site = site

    async def fill_in(self, name="alice", path="/accounts/login/?next=/private/"):
        """Send the login form, whatever comes of it."""
        await self.page.goto(self.site.url + path)
        await fill_in(self.page, name)

    async def is_at_home(self, name="alice"):
        """The page that only a signed-in user gets."""
        await self.page.goto(self.site.url + "/private/")
        return await self.page.locator("#user").all_inner_texts() == [name]

    def button(self, name):
        return self.page.get_by_role("button", name=name)


@pytest.fixture
def new_visitor(new_browser_context):
    """`await new_visitor(site)`: a browser whose every page has a strict content policy."""

    async def new(site, **options):
        context = await new_browser_context(**options)

        async def be_strict(route):
            response = await route.fetch(max_redirects=0)
            headers = {**response.headers, "content-security-policy": STRICT}
            await route.fulfill(response=response, headers=headers)

        await context.route("**/session/choose/", be_strict)
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        return Visitor(page, site)

    complaints = []
    yield new
    assert not [text for text in complaints if "Content Security Policy" in text]


@pytest.fixture
def start_site(start_daphne, site_database):
    """`start_site(ON_LIMIT="ask")`: the test site with such a policy."""

    def start(**policy):
        return start_daphne(DATABASE_URL=site_database("sqlite"), LIVE_SINGLE_SESSION=policy)

    return start


async def test_refuse(start_site, new_visitor):
    site = start_site(ON_LIMIT="refuse")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in()
    await second.fill_in()
    await expect(second.page.get_by_text("already signed in on another device")).to_be_visible()
    assert "/accounts/login/?next=/private/&refused=limit" in second.page.url
    assert not await second.is_at_home()
    assert await first.is_at_home()

    await first.page.locator("#sign-out").click()
    await second.fill_in()
    await expect(second.page.locator("#user")).to_have_text("alice")


async def test_refuse_in_the_admin(start_site, new_visitor):
    site = start_site(ON_LIMIT="refuse")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in(STAFF)
    await second.fill_in(STAFF, "/admin/login/?next=/admin/")
    await expect(second.page.get_by_text("already signed in on another device")).to_be_visible()
    assert second.page.url.endswith("/admin/login/?next=/admin/&refused=limit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_ask_and_continue(start_site, new_visitor, scheme):
    site = start_site(ON_LIMIT="ask")
    first = await new_visitor(site)
    second = await new_visitor(
        site, color_scheme=scheme, viewport={"width": 390, "height": 844}
    )
    await first.fill_in()
    await expect(first.page.locator("#user")).to_have_text("alice")
    await second.fill_in()
    await expect(second.page.get_by_role("heading", name="Sign in here?")).to_be_visible()
    await expect(second.page.get_by_text("Signed in just now")).to_be_visible()
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await second.page.evaluate(overflow) == 0

    await second.button("Sign out there and continue").click()
    await expect(second.page.locator("#user")).to_have_text("alice")
    # The tab that was left behind is told at once, without a click.
    await expect(first.page.get_by_role("alertdialog")).to_be_visible()


async def test_ask_and_cancel(start_site, new_visitor):
    site = start_site(ON_LIMIT="ask")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in()
    await second.fill_in()
    await second.button("Cancel").click()
    await expect(second.page.get_by_text("Nothing has changed")).to_be_visible()
    assert not await second.is_at_home()
    assert await first.is_at_home()


async def test_ask_and_click_twice(start_site, new_visitor):
    site = start_site(ON_LIMIT="ask")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in()
    await second.fill_in()
    await second.button("Sign out there and continue").dblclick(no_wait_after=True)
    # Going somewhere else before would abort what was clicked.
    await second.page.wait_for_url(lambda url: "/choose/" not in url)
    # The second answer may be there before the cookie of the first one.
    await await_until(second.is_at_home, "the browser to be signed in")


async def test_ask_in_the_admin(start_site, new_visitor):
    site = start_site(ON_LIMIT="ask")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in(STAFF)
    await second.fill_in(STAFF, "/admin/login/?next=/admin/auth/")
    await second.button("Sign out there and continue").click()
    await expect(second.page.get_by_role("heading", name="Authentication")).to_be_visible()


async def test_observe(start_site, new_visitor):
    site = start_site(ON_LIMIT="observe")
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in()
    await second.fill_in()
    assert await second.is_at_home()
    assert await first.is_at_home()


async def test_end_oldest(start_site, new_visitor):
    site = start_site()
    first, second = await new_visitor(site), await new_visitor(site)
    await first.fill_in()
    await expect(first.page.locator("#user")).to_have_text("alice")
    await second.fill_in()
    await expect(first.page.get_by_role("alertdialog")).to_be_visible()
    assert await second.is_at_home()
    assert not await first.is_at_home()


async def test_a_phone_and_a_laptop_don_t_disturb_each_other(start_site, new_visitor):
    site = start_site(SLOT="live_single_session.policy.device_class")
    laptop = await new_visitor(site)
    phone = await new_visitor(site, user_agent=PIXEL)
    other_phone = await new_visitor(site, user_agent=SAFARI)
    tablet = await new_visitor(site, user_agent=GALAXY_TAB)
    for visitor in (laptop, phone, tablet):
        await visitor.fill_in()
        assert await visitor.is_at_home()
    await other_phone.fill_in()
    await expect(phone.page.get_by_role("alertdialog")).to_be_visible()
    assert await laptop.is_at_home()
    assert await tablet.is_at_home()
    assert not await phone.is_at_home()
