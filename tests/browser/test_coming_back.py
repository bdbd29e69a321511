"""Signing in again: the tabs left behind come back by themselves, and never go round."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.helpers.visitor import (
    IDLE,
    PAGE,
    WRITE_DOWN_EVENTS,
    dialog,
    events_of,
    fill_in,
    is_told,
    session_of,
    shows,
)
from tests.servers.waiting import await_until

FULL = """
    Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
"""
BLOCKED = """
    Object.defineProperty(window, "sessionStorage", {
      get() { throw new DOMException("", "SecurityError"); },
    });
"""


@pytest.mark.server
async def test_tabs_left_behind_come_back_when_the_user_signs_in_again(
    visitor, sign_in_elsewhere
):
    tabs = [await visitor.open() for _ in range(3)]
    await sign_in_elsewhere()
    for tab in tabs:
        await is_told(tab)

    await dialog(tabs[0]).get_by_role("link", name="Sign in again").click()
    await fill_in(tabs[0], "alice")

    for tab in tabs:
        await shows(tab, "alice")
    assert len({await session_of(tab) for tab in tabs}) == 1
    await visitor.is_watching(tabs[0])
    await await_until(lambda: len(visitor.front.sockets) == 1, "one socket again")


async def test_tabs_left_behind_are_reloaded_when_somebody_else_signs_in(
    visitor, sign_in_elsewhere
):
    left = await visitor.open()
    await sign_in_elsewhere()
    await is_told(left)

    await visitor.sign_in("bob")
    await visitor.open()

    await shows(left, "bob")


async def test_another_user_signing_in_in_one_tab_reloads_the_others(visitor):
    tab = await visitor.open()
    login = await visitor.open()

    await login.goto(visitor.front.url + "/accounts/login/")
    await fill_in(login, "bob")

    await shows(login, "bob")
    await shows(tab, "bob")


async def test_a_glance_at_a_tab_left_behind_brings_it_back(visitor, sign_in_elsewhere):
    """Signed in again in a tab without the script: nobody announces it."""
    left = await visitor.open()
    await sign_in_elsewhere()
    await is_told(left)

    await visitor.sign_in()
    await visitor.glance_at(left)

    await shows(left, "alice")


async def test_a_dialog_stays_until_somebody_signs_in(visitor, sign_in_elsewhere):
    """A tab that signed itself in again would end the other one, and so on for ever."""
    left = await visitor.open()
    other = await sign_in_elsewhere()
    others = await other.open()
    await is_told(left)

    for _ in range(3):
        await visitor.glance_at(left)

    await is_told(left)
    await shows(others, "alice")
    assert visitor.front.handshakes == 2


async def test_a_page_of_another_session_is_reloaded_once(visitor):
    """The cookie has changed under the page, whose session nobody has ended."""
    page = await visitor.open()
    before = await session_of(page)
    await visitor.context.clear_cookies()
    await visitor.sign_in("bob")

    await visitor.glance_at(page)

    await shows(page, "bob")
    assert await session_of(page) != before
    assert visitor.front.asked.count(PAGE) == 2


async def test_a_stale_page_out_of_a_cache_is_reloaded_once_and_then_watched(
    visitor, sign_in_elsewhere
):
    """A cache may serve it again and again. The page carries on with the real session."""
    page = await visitor.open()
    stale = await session_of(page)
    await page.close()
    await visitor.sign_out()
    await visitor.sign_in()
    visitor.front.edits[PAGE] = lambda answer: answer.replace(
        answer.split('data-session="')[1].split('"')[0], stale
    )

    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)

    await await_until(
        lambda: any(socket.session not in (None, stale) for socket in visitor.front.sockets),
        "a socket for the real session",
    )
    assert visitor.front.asked.count(PAGE) == 3
    await sign_in_elsewhere()
    await is_told(page)
    assert visitor.front.asked.count(PAGE) == 3


@pytest.mark.parametrize("storage", [FULL, BLOCKED], ids=["full", "blocked"])
async def test_inv4_a_page_left_behind_stays_covered_where_nothing_can_be_remembered(
    visitor, sign_in_elsewhere, storage
):
    """It cannot be reloaded: nothing would keep it from going round for ever."""
    await visitor.context.add_init_script(storage)
    page = await visitor.open()
    await page.evaluate("""
        document.addEventListener("live-single-session:returned", () => {
          window.returned = true;
        });
    """)
    await sign_in_elsewhere()
    await is_told(page)

    await visitor.sign_in("bob")
    await visitor.glance_at(page)

    await page.wait_for_function("window.returned")
    await is_told(page)
    assert visitor.front.asked.count(PAGE) == 1


@pytest.mark.parametrize("storage", [FULL, BLOCKED], ids=["full", "blocked"])
async def test_inv4_a_page_of_another_session_is_covered_where_nothing_can_be_remembered(
    visitor, storage
):
    await visitor.context.add_init_script(storage)
    page = await visitor.open()
    await visitor.context.clear_cookies()
    await visitor.sign_in("bob")

    await visitor.glance_at(page)

    await is_told(page)
    assert visitor.front.asked.count(PAGE) == 1
    await await_until(lambda: not visitor.front.sockets, "the socket to be closed")


@pytest.mark.server
async def test_signing_out_says_nothing_to_the_tab_that_does_it(visitor):
    """Its page is on the way out when the server tells it; the other tabs are told."""
    await visitor.context.add_init_script(WRITE_DOWN_EVENTS)
    other = await visitor.open()
    await other.evaluate(IDLE)
    page = await visitor.open()
    others_know = asyncio.Event()

    async def hold(route) -> None:
        response = await route.fetch(max_redirects=0)
        await others_know.wait()
        await route.fulfill(response=response)

    await page.route("**/accounts/logout/", hold)
    await page.evaluate("""
        document.addEventListener("live-single-session:ended", () => {
          sessionStorage.setItem("told", "yes");
        });
    """)

    await page.locator("#sign-out").click(no_wait_after=True)
    await is_told(other)
    await expect(dialog(other)).to_have_accessible_name("You signed out")
    others_know.set()

    await page.wait_for_url("**/accounts/login/")
    assert await page.evaluate("sessionStorage.getItem('told')") is None
    assert len(await events_of(other)) == 1


async def test_a_navigation_that_comes_to_nothing_keeps_nobody_in_the_dark(
    visitor, sign_in_elsewhere
):
    """A download begins like any other navigation."""
    page = await visitor.open()
    visitor.front.add_header("/whoami/", "Content-Disposition: attachment")

    async with page.expect_download():
        await page.evaluate("location.href = '/whoami/'")
    await sign_in_elsewhere()

    await is_told(page)


@pytest.mark.parametrize("ends_by", ["a login elsewhere", "a login of somebody else"])
async def test_inv4_told_though_somebody_signs_in_before_a_navigation_has_come_to_nothing(
    visitor, sign_in_elsewhere, ends_by
):
    page = await visitor.open()
    tab = await visitor.open()
    visitor.front.add_header("/whoami/", "Content-Disposition: attachment")

    async with page.expect_download():
        await page.evaluate("location.href = '/whoami/'")
    if ends_by == "a login elsewhere":
        await sign_in_elsewhere()
        await is_told(tab)
    await visitor.sign_in("bob")
    await visitor.open()

    await shows(tab, "bob")
    await shows(page, "bob")


async def test_returning_can_be_put_off_by_the_site(visitor, sign_in_elsewhere):
    await visitor.context.add_init_script(WRITE_DOWN_EVENTS)
    page = await visitor.open()
    await page.evaluate("window.cancels = ['returned']")
    await sign_in_elsewhere()
    await is_told(page)

    await visitor.sign_in()
    await visitor.glance_at(page)
    await page.wait_for_function("localStorage.getItem('events').includes('returned')")
    await visitor.open()  # and says so to the others

    await is_told(page)
    assert [event["name"] for event in await events_of(page)] == ["ended", "returned"]
