"""The pages as people use them: without JavaScript, live, under a strict CSP, by everybody."""

import re
from collections.abc import Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.helpers.browsers import FIREFOX, SAFARI
from tests.helpers.visitor import Visitor, dialog, is_told
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases

SETTINGS = {"LIMIT": None, "NOT_YOU_URL": "/accounts/login/?reset"}

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)

# What a tab asks next, it asks at once.
AT_ONCE = """
    const wait = window.setTimeout;
    window.setTimeout = (action, ms, ...rest) => wait(action, ms / 40, ...rest);
"""


@pytest.fixture(scope="session")
def daphne(site_databases: Callable[[str], SiteDatabases]) -> Iterator[Daphne]:
    """A site whose users may be signed in as often as they like."""
    databases = site_databases("sqlite")
    name = databases.create()
    daphne = Daphne(env={"DATABASE_URL": databases.url(name), "LIVE_SINGLE_SESSION": SETTINGS})
    try:
        daphne.start()
        yield daphne
    finally:
        daphne.close()
        databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def new_visitor(new_visitor: Callable) -> Callable:
    """`await new_visitor()`: Alice, signed in, with a browser of her own."""

    async def new(**options: object) -> Visitor:
        visitor = await new_visitor(**options)
        await visitor.sign_in()
        return visitor

    return new


def others(page):
    return page.locator("li.entry.live")


async def test_the_list_changes_when_a_session_starts_or_ends_elsewhere(new_visitor):
    laptop = await new_visitor()
    await laptop.context.add_init_script(AT_ONCE)
    page = await laptop.open("/session/")
    before = await others(page).count()

    phone = await new_visitor(user_agent=SAFARI)
    await expect(others(page)).to_have_count(before + 1)
    await expect(others(page).first).to_contain_text("Mobile Safari on iOS")
    await expect(page.locator("[data-live-sessions-status]")).to_have_text(
        "The list has changed."
    )

    await phone.context.request.post(f"{phone.front.url}/api/logout/")
    await expect(others(page)).to_have_count(before)


async def test_the_focus_stays_where_it_is_while_the_list_changes(new_visitor):
    laptop, phone = await new_visitor(), await new_visitor(user_agent=SAFARI)
    await laptop.context.add_init_script(AT_ONCE)
    page = await laptop.open("/session/")
    await page.locator("#end-others").focus()

    await phone.context.request.post(f"{phone.front.url}/api/logout/")
    await expect(page.locator("[data-live-sessions-status]")).not_to_be_empty()

    if await others(page).count():
        await expect(page.locator("#end-others")).to_be_focused()
    else:
        await expect(page.locator("h2").first).to_be_focused()


async def test_the_exact_times_are_the_visitors(new_visitor):
    visitor = await new_visitor(timezone_id="Pacific/Auckland", locale="en-NZ")
    page = await visitor.open("/session/")

    time = page.locator("li.current time").first
    expected = await time.evaluate(
        "time => new Date(time.dateTime).toLocaleString('en',"
        " {dateStyle: 'medium', timeStyle: 'short', timeZone: 'Pacific/Auckland'})"
    )
    await expect(time).to_have_attribute("title", expected)
    await expect(time).to_have_text("Signed in just now")


async def test_what_ended_stays_open_while_the_list_changes(new_visitor):
    laptop, phone = await new_visitor(), await new_visitor(user_agent=SAFARI)
    await phone.context.request.post(f"{phone.front.url}/api/logout/")
    await laptop.context.add_init_script(AT_ONCE)
    page = await laptop.open("/session/")
    ended = page.locator("details .entry").first
    await expect(ended).to_be_hidden()
    await page.locator("summary").click()
    await expect(ended).to_be_visible()

    await new_visitor()
    await expect(page.locator("[data-live-sessions-status]")).not_to_be_empty()
    await expect(ended).to_be_visible()


async def test_that_time_passes_is_no_news(new_visitor):
    laptop = await new_visitor()
    await laptop.context.add_init_script(AT_ONCE)
    page = await laptop.open("/session/")
    laptop.front.edit("/session/", "Signed in just now", "Signed in 1 minute ago")

    await expect(page.locator("li.current time")).to_have_text("Signed in 1 minute ago")
    await expect(page.locator("[data-live-sessions-status]")).to_be_empty()


async def test_works_without_javascript(new_visitor):
    phone = await new_visitor(user_agent=SAFARI)
    laptop = await new_visitor(java_script_enabled=False, user_agent=FIREFOX)
    page = await laptop.context.new_page()
    await page.goto(f"{laptop.front.url}/session/")
    await expect(page.locator("li.current")).to_contain_text("Firefox on Linux")

    await others(page).first.get_by_role("link", name="Sign out").click()
    await expect(page.locator("h1")).to_have_text("Sign out this device?")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("status").first).to_have_text(
        "Mobile Safari on iOS was signed out."
    )
    assert await _user(phone) is None

    third = await new_visitor()
    await page.reload()
    await page.get_by_role("link", name="Sign out all other devices").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(others(page)).to_have_count(0)
    assert await _user(third) is None
    assert await _user(laptop) == "alice"


async def test_the_tab_of_a_session_that_was_ended_here_is_told(new_visitor):
    phone, laptop = await new_visitor(), await new_visitor()
    tab = await phone.open()
    page = await laptop.open("/session/")

    await page.locator("#end-others").click()
    await page.get_by_role("button", name="Sign out").click()

    await is_told(tab)
    await expect(dialog(tab)).to_contain_text("You ended this session from another device.")
    await expect(
        dialog(tab).get_by_role("link", name=re.compile("^Wasn.t you"))
    ).to_have_attribute("href", re.compile("/accounts/login/\\?reset$"))


async def test_works_under_a_strict_csp_and_trusted_types(new_visitor):
    laptop = await new_visitor()
    await new_visitor()
    laptop.front.add_header("/session/", f"Content-Security-Policy: {CSP}")
    await laptop.context.add_init_script(
        AT_ONCE
        + """
        window.violations = [];
        document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
          window.violations.push(violatedDirective));
    """
    )
    page = await laptop.open("/session/")
    before = await others(page).count()

    await new_visitor()

    await expect(others(page)).to_have_count(before + 1)
    assert await page.evaluate("window.violations") == []
    colour = await page.locator("#end-others").evaluate("a => getComputedStyle(a).color")
    assert colour == "rgb(179, 38, 30)"


async def test_nothing_moves_for_those_who_asked_for_that(new_visitor):
    laptop = await new_visitor(reduced_motion="reduce")
    await laptop.context.add_init_script(AT_ONCE)
    page = await laptop.open("/session/")
    before = await others(page).count()
    await new_visitor()

    await expect(others(page)).to_have_count(before + 1)
    moving = await page.evaluate("document.getAnimations().length")
    assert moving == 0


async def _user(visitor):
    response = await visitor.context.request.get(f"{visitor.front.url}/whoami/")
    return (await response.json())["user"]
