"""The dialog: who sees it, what it says, and whom it can be used by."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.helpers.visitor import CSP, PAGE, dialog, fill_in, is_left_alone, is_told, shows

HTML = '<html lang="en">'
FRAME = """url => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    frame.src = url;
    return new Promise((loaded) => { frame.onload = loaded; });
}"""
SOCKET = re.compile("/ws/live-single-session/")


async def test_inv4_every_tab_is_told_without_a_reload_and_nobody_else_is(
    visitor, new_visitor, sign_in_elsewhere
):
    bob = await new_visitor()
    await bob.sign_in("bob")
    bobs = await bob.open()
    tabs = [await visitor.open(), await visitor.open()]
    for tab in tabs:
        await tab.locator("#draft").fill("not saved yet")

    other = await sign_in_elsewhere()
    others = await other.open()

    for tab in tabs:
        await is_told(tab)
        assert await tab.locator("#draft").input_value() == "not saved yet"
    await shows(others, "alice")
    await shows(bobs, "bob")
    await is_left_alone(bobs)


async def test_says_what_happened_when_and_on_which_device(visitor, new_visitor):
    page = await visitor.open()

    other = await new_visitor(
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    )
    await other.sign_in()

    await is_told(page)
    await expect(dialog(page)).to_have_accessible_name("You’ve been signed out here")
    await expect(dialog(page)).to_have_accessible_description(re.compile("Firefox on Linux"))
    time = dialog(page).locator("time")
    await expect(time).to_have_text("just now")
    local = await time.evaluate("""time => new Date(time.dateTime)
        .toLocaleString('en', {dateStyle: 'long', timeStyle: 'short'})""")
    await expect(time).to_have_attribute("title", local)
    assert await page.title() == "You’ve been signed out here · Private"


@pytest.mark.parametrize(
    ("minutes", "expected"), [(-0.5, "just now"), (5, "5 minutes ago"), (90, ":"), (-9, ":")]
)
async def test_says_how_long_ago_and_after_an_hour_when(visitor, minutes, expected):
    """A clock that is slow here makes nothing of the future of a moment ago."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)

    page = await _told_by_the_server(visitor, at=at.isoformat())

    await expect(dialog(page).locator("time")).to_contain_text(expected)


async def test_time_and_texts_are_in_the_language_and_direction_of_the_page(
    visitor, new_visitor, sign_in_elsewhere
):
    visitor.front.edit("/private/", HTML, '<html lang="ar" dir="rtl">')
    page = await visitor.open()

    await sign_in_elsewhere()

    await is_told(page)
    assert await dialog(page).get_attribute("dir") == "rtl"
    time = dialog(page).locator("time")
    await expect(time).to_have_attribute("title", re.compile("في"))


async def test_works_under_a_strict_csp_and_trusted_types(visitor, sign_in_elsewhere):
    visitor.front.add_header("/private/", f"Content-Security-Policy: {CSP}")
    await visitor.context.add_init_script("""
        window.violations = [];
        document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
          window.violations.push(violatedDirective));
    """)
    page = await visitor.open()

    await sign_in_elsewhere()

    await is_told(page)
    background = "node => getComputedStyle(node).backgroundColor"
    assert await dialog(page).evaluate(background) == "rgb(255, 255, 255)"
    assert await page.evaluate("window.violations") == []


async def test_is_modal_and_the_keyboard_stays_in_it(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("#draft").focus()

    await sign_in_elsewhere()

    await is_told(page)
    await expect(_button(page)).to_be_focused()
    await page.keyboard.type("lost in the page below?")
    for key in ["Tab", "Tab", "Tab", "Shift+Tab", "Shift+Tab"]:
        await page.keyboard.press(key)
        # <body> stands for the browser's own controls, which Tab must be able to reach.
        focused = await page.evaluate(
            "document.activeElement.id || document.activeElement.localName"
        )
        assert focused in ("live-single-session", "body")
    assert await page.locator("#draft").input_value() == ""


async def test_comes_back_to_the_top_when_the_page_opens_a_modal_of_its_own(
    visitor, sign_in_elsewhere
):
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)

    await page.evaluate("""() => {
      const dialog = document.createElement("dialog");
      dialog.append(document.createElement("button"));
      document.body.append(dialog);
      dialog.showModal();
    }""")

    await expect(_button(page)).to_be_focused()
    await page.wait_for_timeout(600)  # the time that it takes to look up
    await _button(page).click()
    await page.wait_for_url("**/accounts/login/**")


async def test_a_frame_leaves_the_dialog_to_the_page_around_it(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.evaluate(FRAME, PAGE)
    await page.frames[1].wait_for_load_state()
    await page.frames[1].evaluate("""
        document.addEventListener("live-single-session:ended", () => { window.told = true; });
    """)

    await sign_in_elsewhere()

    await is_told(page)
    await page.frames[1].wait_for_function("window.told")
    assert await page.frames[1].locator("#live-single-session").count() == 0
    await expect(_button(page)).to_be_focused()


@pytest.mark.parametrize("around", ["a page without the script", "a page of another origin"])
async def test_inv4_a_frame_shows_its_own_dialog_in(visitor, sign_in_elsewhere, around):
    """As in the demo, side by side."""
    page = await visitor.context.new_page()
    if around == "a page of another origin":
        await page.goto(f"http://127.0.0.1:{visitor.front.upstream}{PAGE}")
    else:
        await page.goto(f"{visitor.front.url}/whoami/")
    await page.evaluate(FRAME, visitor.front.url + PAGE)
    await visitor.is_watching(page.frame_locator("iframe"))

    await sign_in_elsewhere()

    await is_told(page.frame_locator("iframe"))


async def test_an_enter_that_was_meant_for_the_page_does_not_leave_it(
    visitor, sign_in_elsewhere
):
    page = await visitor.open()
    await page.locator("#draft").fill("a long answer")
    await page.evaluate("""
        document.addEventListener("live-single-session:ended", () => queueMicrotask(() => {
          const { shadowRoot } = document.querySelector("#live-single-session");
          shadowRoot.activeElement.click(); // as a key does
          window.pressed = true;
        }));
    """)

    await sign_in_elsewhere()

    await is_told(page)
    assert await page.evaluate("window.pressed")
    await _button(page).hover()
    assert page.url.endswith("/private/")
    await page.wait_for_timeout(600)  # the time that it takes to look up
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/accounts/login/**")


@pytest.mark.parametrize("attribute", ["closedby", "of-no-use"])
async def test_escape_does_not_uncover_a_page_that_is_no_longer_in_use(
    visitor, sign_in_elsewhere, attribute
):
    """Also where the browser doesn't know `closedby`."""
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    await dialog(page).evaluate("(node, name) => node.removeAttribute(name)", attribute)

    for _ in range(4):  # browsers let the second one through
        await page.keyboard.press("Escape")

    await is_told(page)
    await expect(_button(page)).to_be_focused()
    await page.mouse.click(2, 2)
    await is_told(page)


async def test_signing_in_again_leads_back_to_the_page(visitor, sign_in_elsewhere):
    page = await visitor.open("/private/?q=1")
    await sign_in_elsewhere()
    await is_told(page)

    await _button(page).click()

    await page.wait_for_url("**/accounts/login/?next=%2Fprivate%2F%3Fq%3D1*")
    await fill_in(page, "alice")
    await page.wait_for_url("**/private/?q=1")
    await shows(page, "alice")


@pytest.mark.parametrize(
    "told",
    [
        "javascript:alert(document.domain)",
        "data:text/html,<script>alert(1)</script>",
        "//evil.example/login/",
        "https://evil.example/login/",
        "http://[",
        None,
    ],
)
async def test_a_login_url_of_another_site_is_not_linked_to(visitor, told):
    page = await _told_by_the_server(visitor, login_url=told)

    assert await _button(page).get_attribute("href") == (
        f"{visitor.front.url}/accounts/login/?next=%2Fprivate%2F"
    )


async def test_a_login_page_elsewhere_is_linked_to_if_the_site_has_configured_it(visitor):
    page = await _told_by_the_server(
        visitor,
        configured="https://sso.example/start?client=1",
        login_url="https://sso.example/start?client=1",
    )

    here = page.url.replace(":", "%3A").replace("/", "%2F")
    assert await _button(page).get_attribute("href") == (
        f"https://sso.example/start?client=1&next={here}"
    )


async def test_leads_those_who_did_not_sign_in_elsewhere_to_where_they_get_help(visitor):
    page = await _told_by_the_server(visitor, not_you_url="/accounts/password/?help")

    link = dialog(page).get_by_role("link", name=re.compile("Wasn.t you"))
    assert await link.get_attribute("href") == f"{visitor.front.url}/accounts/password/?help"
    await expect(_button(page)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(link).to_be_focused()


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "https://evil.example/"])
async def test_help_is_not_looked_for_at_other_sites(visitor, url):
    page = await _told_by_the_server(visitor, not_you_url=url)

    assert await dialog(page).get_by_role("link").count() == 1


async def test_texts_are_never_markup(visitor):
    evil = "<img src=x onerror='window.pwned = true'>"
    page = await _told_by_the_server(
        visitor, title=evil, message=evil, by={"device": f"{evil}!", "ip": None}
    )

    assert await dialog(page).locator("img").count() == 0
    await expect(dialog(page).locator("h2")).to_have_text(evil)
    await expect(dialog(page).locator("p")).to_have_text(evil)
    await expect(dialog(page).locator("bdi")).to_have_text(f"{evil}!")
    assert await page.evaluate("window.pwned") is None


async def test_a_farewell_without_words_gets_those_of_the_page(visitor):
    page = await _told_by_the_server(visitor, title=None, message=None, at=None, by=None)

    await expect(dialog(page)).to_have_accessible_name("You were signed out")
    await expect(dialog(page).locator("p")).to_have_text(
        "Your session has ended. Sign in again to carry on."
    )
    assert await dialog(page).locator("time").count() == 0


async def test_follows_the_colour_scheme_of_the_visitor_or_the_page(visitor):
    page = await _told_by_the_server(visitor)
    background = "node => getComputedStyle(node).backgroundColor"

    assert await dialog(page).evaluate(background) == "rgb(255, 255, 255)"
    await page.emulate_media(color_scheme="dark")
    assert await dialog(page).evaluate(background) == "rgb(27, 31, 39)"

    visitor.front.edit("/private/", HTML, '<html lang="en" style="color-scheme: light">')
    page = await _told_by_the_server(visitor)
    await page.emulate_media(color_scheme="dark")
    assert await dialog(page).evaluate(background) == "rgb(255, 255, 255)"


async def test_takes_the_colours_of_the_site(visitor):
    visitor.front.edit(
        "/private/",
        HTML,
        '<html lang="en" style="--live-single-session-accent: rgb(120, 0, 60);'
        ' --live-single-session-radius: 0px">',
    )

    page = await _told_by_the_server(visitor)

    background = "node => getComputedStyle(node).backgroundColor"
    assert await _button(page).evaluate(background) == "rgb(120, 0, 60)"
    assert await dialog(page).evaluate("node => getComputedStyle(node).borderRadius") == "0px"


async def test_fits_a_phone(visitor):
    page = await _told_by_the_server(visitor)

    await page.set_viewport_size({"width": 320, "height": 480})

    box = await dialog(page).bounding_box()
    assert box["x"] >= 8
    assert box["x"] + box["width"] <= 320 - 8
    assert box["height"] <= 480
    assert (await _button(page).bounding_box())["height"] >= 44  # a finger's width


@pytest.mark.parametrize(
    "missing",
    [
        "delete HTMLDialogElement.prototype.showModal",
        "window.CSSStyleSheet = function () { throw new TypeError('Illegal constructor'); }",
    ],
    ids=["showModal", "CSSStyleSheet"],
)
async def test_inv4_an_older_browser_without_the_dialog_is_sent_to_the_login_page(
    visitor, sign_in_elsewhere, missing
):
    await visitor.context.add_init_script(missing)
    page = await visitor.open()

    await sign_in_elsewhere()

    await page.wait_for_url("**/accounts/login/?next=%2Fprivate%2F&ended=superseded")


def _button(page):
    return dialog(page).get_by_role("link", name="Sign in again")


async def _told_by_the_server(visitor, *, configured: str = "/accounts/login/", **said):
    """A page, told by a frame of the server's."""
    frame = {
        "type": "session.ended",
        "reason": "superseded",
        "at": "2026-11-23T14:32:08Z",
        "by": {"device": "Firefox on Linux", "ip": None},
        "signed_in": False,
        "title": "You’ve been signed out here",
        "message": "You signed in on another device.",
        "login_url": "/accounts/login/",
        **said,
    }
    if configured != "/accounts/login/":
        visitor.front.edit(
            "/private/", 'data-login-url="/accounts/login/"', f'data-login-url="{configured}"'
        )
    page = await visitor.context.new_page()

    def say_farewell(socket) -> None:
        session = parse_qs(urlsplit(socket.url).query)["session"][0]
        socket.send(json.dumps({**frame, "session": session}))

    await page.route_web_socket(SOCKET, say_farewell)
    await page.goto(f"{visitor.front.url}/private/")
    await is_told(page)
    return page
