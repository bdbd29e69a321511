"""The back/forward cache: it may keep the page, but never bring back an ended one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.helpers.front import Front
from tests.helpers.visitor import Visitor, dialog, is_told, shows
from tests.servers.chromium import launch_chromium
from tests.servers.waiting import await_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What was on the screen each time that the page has come out of the cache.
WATCH_THE_SCREEN = """
    window.seen = [];
    window.restored = 0;
    const look = () => {
      const heading = document.querySelector("h1");
      const { visibility } = getComputedStyle(heading);
      seen.push(document.querySelector("#live-single-session") ? "dialog" : visibility);
      if (window.looking) requestAnimationFrame(look);
    };
    addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return;
      window.restored += 1;
      window.looking = true;
      look();
    });
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def caching_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await launch_chromium(playwright, back_forward_cache=True)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(caching_browser: Browser, front: Front) -> AsyncIterator[Visitor]:
    context = await caching_browser.new_context()
    await context.add_init_script(WATCH_THE_SCREEN)
    visitor = Visitor(context, front)
    await visitor.sign_in()
    yield visitor
    await context.close()


@pytest.mark.server
async def test_a_page_that_holds_the_socket_may_enter_the_cache(visitor):
    page = await _on_the_next_page(visitor)

    await _go_back(page)

    await shows(page, "alice")
    assert await page.locator("#draft").input_value() == "a draft"
    await visitor.is_watching(page)
    await await_until(lambda: len(visitor.front.sockets) == 1, "one socket")


async def test_a_page_in_the_cache_holds_neither_the_socket_nor_the_lock(
    visitor, sign_in_elsewhere
):
    page = await visitor.open()
    tab = await visitor.open()

    await page.goto(visitor.front.url + "/whoami/")

    await await_until(lambda: visitor.front.handshakes == 2, "the other tab to take over")
    await await_until(lambda: len(visitor.front.sockets) == 1, "one socket")
    await sign_in_elsewhere()
    await is_told(tab)
    await _go_back(page)
    await is_told(page)


@pytest.mark.server
async def test_inv4_a_page_restored_after_its_end_is_never_seen_without_the_dialog(
    visitor, sign_in_elsewhere
):
    page = await _on_the_next_page(visitor)
    await sign_in_elsewhere()
    await is_told(page)

    await _go_back(page)

    await is_told(page)
    assert await page.locator("#draft").input_value() == "a draft"
    seen = await page.evaluate("seen")
    assert seen[0] == "hidden"
    assert "visible" not in seen


async def test_a_live_page_is_hidden_until_the_answer_is_there(visitor):
    page = await _on_the_next_page(visitor)

    await _go_back(page)

    await page.wait_for_function("seen.includes('visible')")
    assert (await page.evaluate("seen"))[0] == "hidden"


async def test_inv4_a_page_restored_after_signing_out_is_not_seen(visitor):
    page = await _on_the_next_page(visitor)
    await page.locator("#sign-out").click()
    await page.wait_for_url("**/accounts/login/")

    await page.evaluate("history.go(-2)")
    await _is_restored(page)

    await is_told(page)
    await expect(dialog(page)).to_have_accessible_name("You signed out")
    assert "visible" not in await page.evaluate("seen")


async def test_a_page_restored_without_an_answer_is_asked_for_again(visitor):
    """Nobody knows whether its session is live: the server decides what is to be seen."""
    page = await _on_the_next_page(visitor)
    visitor.front.edits["/session/status/"] = lambda answer: (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\nlater"
    )
    loads = visitor.front.asked.count("/private/")

    await page.evaluate("history.back()")

    await await_until(
        lambda: visitor.front.asked.count("/private/") == loads + 1, "the page to be reloaded"
    )
    await shows(page, "alice")
    assert await page.evaluate("restored") == 0


async def test_back_to_the_dialog_after_signing_in_again_shows_the_page(
    visitor, sign_in_elsewhere
):
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    await page.goto(visitor.front.url + "/accounts/login/")
    await visitor.sign_in()

    await page.evaluate("history.back()")

    await shows(page, "alice")
    await visitor.is_watching(page)


async def _on_the_next_page(visitor: Visitor) -> Page:
    page = await visitor.open("/private/")
    await page.locator("#draft").fill("a draft")
    await page.goto(visitor.front.url + "/private/?next")
    await visitor.is_watching(page)
    return page


async def _go_back(page: Page) -> None:
    await page.evaluate("history.back()")
    await _is_restored(page)


async def _is_restored(page: Page) -> None:
    # Playwright waits for a load event in vain.
    await await_until(lambda: page.url.endswith("/private/"), "the browser to go back")
    await page.wait_for_function("window.restored")
