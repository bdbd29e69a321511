"""Inv. 4: whatever a page does, the dialog can be seen, and can be used."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.helpers.visitor import PAGE, dialog, is_told
from tests.servers.waiting import await_until

LOGIN = "**/accounts/login/**"
CALM = 700  # ms, after which a key is meant for the dialog

HIDING = [
    ":not(:defined) { display: none !important }",
    "html > :not(head, body) { visibility: hidden !important }",
    "body ~ * { opacity: 0 !important; transform: scale(0) !important }",
    "div { display: none !important } dialog { display: none !important }",
]

# Each of them has the say over a page before any script of its own runs.
SWALLOWING = {
    "a focus trap": """
        for (const type of ["click", "mousedown", "pointerdown", "keydown", "focusin"]) {
          document.addEventListener(type, (event) => {
            event.preventDefault();
            event.stopImmediatePropagation();
          }, true);
        }
    """,
    "keys of the page's own": """
        addEventListener("keydown", (event) => event.preventDefault(), true);
    """,
    "keys that nobody else is to hear of": """
        addEventListener("keydown", (event) => {
          event.preventDefault();
          event.stopImmediatePropagation();
        }, true);
    """,
    "clicks of the page's own": """
        addEventListener("click", (event) => event.preventDefault(), true);
    """,
}

IS_ON_TOP = """() => {
    const host = document.querySelector("#live-single-session");
    const { left, top, width, height } = host.shadowRoot.firstChild.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2) === host;
}"""


@pytest.mark.parametrize("style", HIDING)
async def test_no_style_of_the_page_hides_it(visitor, sign_in_elsewhere, style):
    visitor.front.edit(PAGE, "</head>", f"<style>{style}</style></head>")
    page = await visitor.open()

    await sign_in_elsewhere()

    await is_told(page)
    button = await _button(page).bounding_box()
    assert button["width"] > 200
    shown = "host => { const s = getComputedStyle(host); return s.opacity + s.visibility }"
    assert await page.locator("#live-single-session").evaluate(shown) == "1visible"


@pytest.mark.parametrize("way", ["mouse", "keyboard"])
@pytest.mark.parametrize("swallowing", SWALLOWING)
async def test_it_can_be_used_whatever_the_page_swallows(
    visitor, sign_in_elsewhere, swallowing, way
):
    await visitor.context.add_init_script(SWALLOWING[swallowing])
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    await expect(_button(page)).to_be_focused()

    if way == "mouse":
        await _button(page).click()
    else:
        await page.wait_for_timeout(CALM)
        await page.keyboard.press("Enter")

    await page.wait_for_url(LOGIN)


async def test_no_router_of_the_page_takes_it_for_a_page_of_its_own(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.evaluate("navigation.addEventListener('navigate', (event) => event.intercept())")
    await sign_in_elsewhere()
    await is_told(page)

    await _button(page).click()

    await expect(page.locator("#id_username")).to_be_visible()


async def test_tab_moves_on_though_the_page_forbids_it(visitor, sign_in_elsewhere):
    visitor.front.edit(PAGE, 'data-text-sign-in="', 'data-text-unsaved="Text" data-of="')
    await visitor.context.add_init_script(SWALLOWING["keys of the page's own"])
    page = await visitor.open()
    await page.locator("#draft").fill("two hours of work")
    await sign_in_elsewhere()
    await expect(_button(page)).to_be_focused()

    await page.keyboard.press("Tab")

    await expect(dialog(page).locator("summary")).to_be_focused()


@pytest.mark.parametrize(
    "covering",
    [
        """() => {
            const menu = document.body.appendChild(document.createElement("div"));
            menu.popover = "manual";
            menu.style.cssText = "inset: 0; width: 100vw; height: 100vh; background: red";
            menu.showPopover();
        }""",
        "() => document.documentElement.requestFullscreen()",
    ],
    ids=["a popover", "full screen"],
)
async def test_it_returns_to_the_top(visitor, sign_in_elsewhere, covering):
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)

    await page.evaluate(covering)

    await page.wait_for_timeout(200)
    await page.wait_for_function(IS_ON_TOP)
    await _button(page).click()
    await page.wait_for_url(LOGIN)


@pytest.mark.parametrize(
    "removing",
    [
        "document.querySelector('#live-single-session').remove()",
        "document.documentElement.replaceWith(document.documentElement.cloneNode(true))",
        "document.querySelector('#live-single-session').shadowRoot.firstChild.close()",
    ],
    ids=["its host", "the whole document", "closed"],
)
async def test_it_comes_back_when_it_is_removed(visitor, sign_in_elsewhere, removing):
    """As React does, when it finds in the page what it has not rendered."""
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)

    await page.evaluate(removing)

    await page.wait_for_timeout(200)
    await is_told(page)
    await _button(page).click()
    await page.wait_for_url(LOGIN)


async def test_in_a_frame_it_signs_in_beside_it(visitor, sign_in_elsewhere):
    """The login page may refuse to be in a frame; when that is done the frame comes back."""
    frame = await _framed(visitor)
    await sign_in_elsewhere()
    await is_told(frame)

    async with visitor.context.expect_page() as opened:
        await _button(frame).click()

    page = await opened.value
    await page.wait_for_url(LOGIN)
    await page.locator("#id_username").fill("alice")
    await page.locator("#id_password").fill("correct horse battery staple")
    await page.locator("#sign-in").click()
    await expect(dialog(frame)).to_have_count(0)
    await expect(frame.locator("#user")).to_have_text("alice")


async def test_in_a_frame_of_a_site_that_says_so_it_signs_in_there(visitor, sign_in_elsewhere):
    visitor.front.edit(PAGE, "<head>", '<head><base target="_self">')
    frame = await _framed(visitor)
    await sign_in_elsewhere()

    await is_told(frame)
    await expect(_button(frame)).to_have_attribute("target", "_self")


async def test_a_fast_typist_is_not_carried_off(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("#draft").focus()
    await sign_in_elsewhere()
    await expect(_button(page)).to_be_focused()

    for _ in range(5):  # longer than the first calm
        await page.keyboard.type("word", delay=40)
        await page.keyboard.press("Enter")

    assert page.url.endswith(PAGE)
    await page.wait_for_timeout(CALM)
    await page.keyboard.press("Enter")
    await page.wait_for_url(LOGIN)


async def test_enter_works_after_the_clock_was_set_back(visitor, sign_in_elsewhere):
    await visitor.context.add_init_script("""
        const now = Date.now;
        Date.now = () => now() - (window.setBack || 0);
    """)
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    await page.evaluate("window.setBack = 3600 * 1000")

    await page.wait_for_timeout(CALM)
    await page.keyboard.press("Enter")

    await page.wait_for_url(LOGIN)


@pytest.mark.parametrize("size", [(640, 360), (320, 256), (320, 180)])
async def test_on_a_small_screen_the_title_is_what_is_seen_first(
    visitor, sign_in_elsewhere, size
):
    """A phone on its side, and a window at 400 %."""
    page = await visitor.open()
    await page.set_viewport_size({"width": size[0], "height": size[1]})

    await sign_in_elsewhere()

    await expect(_button(page)).to_be_focused()
    title = await dialog(page).locator("h2").bounding_box()
    assert 0 <= title["y"] < title["y"] + title["height"] < size[1]
    overflow = await dialog(page).evaluate("node => node.scrollWidth - node.clientWidth")
    assert overflow == 0


async def test_what_was_typed_can_be_copied_from_it(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("#draft").fill("two hours of work")
    await sign_in_elsewhere()
    await is_told(page)

    await dialog(page).get_by_text("Text you had not saved").click()

    text = dialog(page).get_by_role("textbox", name="Text you had not saved")
    await expect(text).to_have_value("two hours of work")
    await expect(text).to_have_attribute("readonly", "")


async def test_where_nothing_was_typed_nothing_is_said_of_it(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    assert await dialog(page).locator("details").count() == 0


async def test_it_gives_the_mouse_back(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("h1").click()
    await page.evaluate("document.body.requestPointerLock()")
    await page.wait_for_function("document.pointerLockElement")

    await sign_in_elsewhere()

    await is_told(page)
    await page.wait_for_function("!document.pointerLockElement")


@pytest.mark.parametrize(
    "look",
    [{"contrast": "more"}, {"forced_colors": "active"}, {"color_scheme": "dark"}, {}],
    ids=["more contrast", "forced colours", "dark", "light"],
)
async def test_all_that_it_can_show_is_accessible(
    visitor, new_visitor, sign_in_elsewhere, look
):
    visitor = await new_visitor(**look, viewport={"width": 320, "height": 256})
    await visitor.sign_in()
    page = await visitor.open()
    await page.locator("#draft").fill("two hours of work")
    await sign_in_elsewhere()
    await is_told(page)
    await dialog(page).locator("summary").click()
    await page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")

    results = await Axe().run(page, context="#live-single-session")

    assert results.violations_count == 0, results.generate_report()


async def _framed(visitor):
    page = await visitor.context.new_page()
    await page.goto(f"{visitor.front.url}/whoami/")
    await page.evaluate(
        "url => { document.body.append(document.createElement('iframe'));"
        " document.querySelector('iframe').src = url; }",
        visitor.front.url + PAGE,
    )
    frame = page.frame_locator("iframe")
    await visitor.is_watching(frame)
    await await_until(lambda: page.frames[1].url.endswith(PAGE), "the frame")
    return frame


def _button(page):
    return dialog(page).get_by_role("link", name=re.compile("Sign in again"))
