"""Sessions that are about to end in time: one warning for the whole browser, and use of it.

What the site has recorded is moved in time, so that nothing here waits for minutes.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.helpers.pages import LOOKS, keep_picture, put_on
from tests.helpers.visitor import CSP, PAGE, is_told, session_of
from tests.servers.daphne import Daphne
from tests.servers.waiting import await_until

IDLE, WARN = 600, 60
LIMITS = {
    "IDLE_SECONDS": IDLE,
    "LIFETIME_SECONDS": 36_000,
    "ACTIVITY_SECONDS": 1,
    "WARN_SECONDS": WARN,
    "RECHECK_SECONDS": 0.5,  # sessions are looked at again after ten of them
}
LANGUAGES = ["en", "ar", "de", "es", "fr", "ja", "ms", "pt-BR", "zh-Hans"]
# The page under it has no landmarks.
OF_THE_WARNING = {"rules": {"region": {"enabled": False}}}
STILL = "Promise.all(document.getAnimations().map((animation) => animation.finished))"

NOTE = """
    window.endings = [];
    document.addEventListener("live-single-session:ending", (event) => {
      const { detail } = event;
      endings.push({ ...detail, at: Date.now(), end: Date.now() + detail.in * 1000 });
      if (window.cancels) event.preventDefault();
    });
"""


class Clock:
    """Decides when the live sessions of the site end."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")

    def ends_in(self, seconds: float, by: str = "idle") -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        long_ago, end = now - timedelta(seconds=IDLE), now + timedelta(seconds=seconds)
        values = [str(end), by, str(long_ago)]
        if by == "lifetime":
            values.append(str(end - timedelta(seconds=LIMITS["LIFETIME_SECONDS"])))
        also = ", started_at = ?" if by == "lifetime" else ""
        with sqlite3.connect(self._path, timeout=60) as database:
            database.execute(
                f"UPDATE live_single_session_usersession SET ends_at = ?, ends_by = ?, "
                f"last_seen_at = ?{also} WHERE ended_at IS NULL",
                values,
            )

    def uses(self) -> int:
        """How many live sessions were used in the last minutes."""
        since = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=IDLE / 2)
        with sqlite3.connect(self._path, timeout=60) as database:
            found = database.execute(
                "SELECT count(*) FROM live_single_session_usersession "
                "WHERE ended_at IS NULL AND last_seen_at > ?",
                [str(since)],
            )
            return found.fetchone()[0]


@pytest.fixture(scope="module")
def database(site_databases) -> Iterator[str]:
    databases = site_databases("sqlite")
    name = databases.create()
    yield databases.url(name)
    databases.drop(name)


@pytest.fixture(scope="module")
def daphne(database) -> Iterator[Daphne]:
    """A site of its own, whose sessions have limits in time."""
    site = Daphne(env={"DATABASE_URL": database, "LIVE_SINGLE_SESSION": LIMITS})
    try:
        site.start()
        yield site
    finally:
        site.close()


@pytest.fixture
def clock(database) -> Clock:
    return Clock(database)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _noted(visitor):
    await visitor.context.add_init_script(NOTE)


def warning(page: Page):
    return page.locator("#live-single-session-time dialog")


def stay(page: Page):
    return page.get_by_role("button", name="Stay signed in")


async def is_warned(page: Page) -> None:
    await expect(warning(page)).to_be_visible()


async def is_calm(page: Page) -> None:
    await expect(warning(page)).to_have_count(0)


def frames_sent(page: Page) -> list[dict]:
    """What the sockets of a page say from now on."""
    sent = []
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda frame: sent.append(json.loads(frame))),
    )
    return sent


# One warning for the browser


async def test_twenty_tabs_count_the_same_seconds_and_one_clears_them_all(visitor, clock):
    tabs = [await visitor.open() for _ in range(20)]
    clock.ends_in(WARN - 5)
    for tab in tabs:
        await is_warned(tab)
    first = [(await tab.evaluate("endings"))[0] for tab in tabs]
    ends = [await tab.evaluate(DEADLINE) for tab in tabs]
    assert max(ends) - min(ends) <= 200, ends
    assert {ending["reason"] for ending in first} == {"idle"}

    await stay(tabs[7]).click()

    for tab in tabs:
        await is_calm(tab)
    cleared = [(await tab.evaluate("endings"))[-1] for tab in tabs]
    assert {ending["in"] for ending in cleared} == {None}
    times = [ending["at"] for ending in cleared]
    print(f"cleared in 20 tabs within {max(times) - min(times)} ms")
    await await_until(lambda: clock.uses() == 1, "the use to be recorded")


# When the warning shows its next second, by the wall clock that all tabs share.
DEADLINE = """() => new Promise((done) => {
    const time = document.getElementById("live-single-session-time").shadowRoot
      .querySelector("time");
    new MutationObserver(() => {
      const [minutes, seconds] = time.textContent.split(":");
      done(Date.now() + 60000 * minutes + 1000 * seconds);
    }).observe(time, { childList: true });
})"""


async def test_the_page_says_how_long_and_why(visitor, clock):
    page = await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    assert await warning(page).get_attribute("role") == "alertdialog"
    await expect(warning(page)).to_contain_text("You haven’t been active for a while.")
    await expect(warning(page).get_by_role("timer")).to_have_text(re.compile(r"^0:[0-5]\d$"))
    await expect(stay(page)).to_be_focused()


async def test_escape_stays(visitor, clock):
    page = await visitor.open()
    await page.locator("#draft").focus()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await page.keyboard.press("Escape")
    await is_calm(page)
    await expect(page.locator("#draft")).to_be_focused()
    await await_until(lambda: clock.uses() == 1, "the use to be recorded")


async def test_use_of_the_page_is_an_answer_and_a_pointer_that_moves_is_none(visitor, clock):
    page, other = await visitor.open(), await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await page.mouse.move(200, 200)
    await page.mouse.move(5, 5)
    await is_warned(page)
    await page.mouse.click(5, 5)
    await is_calm(page)
    await is_calm(other)


async def test_a_keyboard_reaches_both_buttons(visitor, clock):
    page = await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Sign out now")).to_be_focused()
    async with page.expect_navigation(url="**/accounts/login/**"):
        await page.keyboard.press("Enter")
    await page.goto(visitor.front.url + "/whoami/")
    assert "null" in await page.content()


async def test_inv4_the_end_takes_the_place_of_the_warning(visitor, clock):
    page, other = await visitor.open(), await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    clock.ends_in(-1)
    for tab in (page, other):
        await is_told(tab)
        await is_calm(tab)
        await expect(tab.get_by_role("alertdialog")).to_contain_text("weren’t active")


async def test_a_lifetime_has_no_extension_and_says_so(visitor, clock):
    page, other = await visitor.open(), await visitor.open()
    clock.ends_in(WARN - 5, by="lifetime")
    await is_warned(page)
    await expect(warning(page)).to_contain_text("for as long as is allowed")
    assert not await stay(page).count()
    await page.get_by_role("button", name="Close").click()
    await is_calm(page)
    await is_calm(other)
    clock.ends_in(-1, by="lifetime")
    await is_told(page)


async def test_a_site_can_warn_in_its_own_way(visitor, clock):
    page = await visitor.open()
    await page.evaluate("window.cancels = true")
    clock.ends_in(WARN - 5)
    await page.wait_for_function("endings.length")
    await is_calm(page)
    await page.evaluate("liveSingleSession.active()")
    await page.wait_for_function("endings.at(-1).in === null")


async def test_where_sockets_are_blocked_the_warning_comes_with_the_status(visitor, clock):
    visitor.front.websockets = "refuse"
    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await stay(page).click()
    await is_calm(page)
    await await_until(lambda: clock.uses() == 1, "the use to be recorded")
    assert "/session/active/" in visitor.front.asked


async def test_the_warning_works_under_a_strict_policy(visitor, clock):
    visitor.front.add_header(PAGE, f"Content-Security-Policy: {CSP}; form-action 'self'")
    page = await visitor.open()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await stay(page).click()
    await is_calm(page)
    assert not [text for text in complaints if "Content Security Policy" in text]


async def test_inv9_after_a_sleep_the_page_is_shown_only_once_it_is_known_to_be_live(
    visitor, clock
):
    page = await visitor.open()
    clock.ends_in(-1)
    visitor.front.silence(endless=True)  # the socket is dead, and doesn't know it
    await page.evaluate("const now = Date.now; Date.now = () => now() + 3600000")
    await is_told(page)


# Use


async def test_use_of_any_tab_is_told_in_one_frame(visitor, clock):
    pages = [await visitor.context.new_page() for _ in range(3)]
    sent = [frames_sent(page) for page in pages]
    for page in pages:
        await page.goto(visitor.front.url + PAGE)
        await visitor.is_watching(page)
    clock.ends_in(IDLE / 3)
    for page in pages:
        await page.bring_to_front()
        await page.locator("#draft").press_sequentially("typing")
        await page.mouse.wheel(0, 100)
    await await_until(lambda: clock.uses() == 1, "the use to be recorded")
    frames = [frame for of_page in sent for frame in of_page]
    assert {frame["type"] for frame in frames} == {"session.active"}
    # The rest is told together, when ten seconds are over.
    assert 1 <= len(frames) <= 2, frames


async def test_a_page_that_nobody_uses_says_nothing(visitor, clock):
    page = await visitor.context.new_page()
    sent = frames_sent(page)
    await page.goto(visitor.front.url + PAGE)
    await visitor.is_watching(page)
    await page.evaluate(
        "window.scrollTo(0, 1); document.body.dispatchEvent(new KeyboardEvent('keydown'))"
    )
    clock.ends_in(WARN - 5)
    await is_warned(page)
    assert sent == []


async def test_a_site_can_say_what_use_is(visitor, clock):
    page = await visitor.open()
    clock.ends_in(IDLE / 3)
    # The first may be less than ACTIVITY_SECONDS after the page's own request.
    await page.evaluate("liveSingleSession.active(); liveSingleSession.active()")
    await await_until(lambda: clock.uses() == 1, "the use to be recorded")


# How it looks


@pytest.mark.parametrize("by", ["idle", "lifetime"])
async def test_can_be_read_and_used_by_everybody(visitor, clock, by):
    page = await visitor.open()
    clock.ends_in(WARN - 5, by)
    await is_warned(page)
    for look in LOOKS:
        await put_on(page, look)
        await page.evaluate(STILL)
        await keep_picture(page, f"warning-{by}-{look}")
        results = await Axe().run(page, options=OF_THE_WARNING)
        assert results.violations_count == 0, results.generate_report()
        for button in await warning(page).get_by_role("button").all():
            await button.scroll_into_view_if_needed()
            await expect(button).to_be_in_viewport(ratio=0.95)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_speaks_the_language_of_the_visitor(new_visitor, clock, language):
    visitor = await new_visitor(locale=language)
    await visitor.sign_in()
    page = await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    await put_on(page, "phone")
    await page.evaluate(STILL)
    await keep_picture(page, f"warning-in-{language}")
    text = await warning(page).inner_text()
    assert ("Stay signed in" in text) == (language == "en")
    assert ("You haven’t been active" in text) == (language == "en")


async def test_a_tab_in_the_background_counts_in_its_title(visitor, clock):
    page = await visitor.open()
    name = await page.title()
    await page.evaluate(
        "Object.defineProperty(document, 'visibilityState', "
        "{ get: () => 'hidden', configurable: true })"
    )
    clock.ends_in(WARN - 5)
    await page.wait_for_function("document.title.startsWith('(0:')")
    titles = set()
    while len(titles) < 3:
        titles.add(await page.title())
    seconds = sorted(int(re.match(r"\(0:(\d\d)\)", title)[1]) for title in titles)
    assert all(later - sooner == 1 for sooner, later in pairwise(seconds))
    await page.evaluate("delete document.visibilityState")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert await page.title() == name


async def test_screen_readers_are_told_at_the_start_and_once_more(visitor, clock):
    page = await visitor.open()
    clock.ends_in(12)
    await is_warned(page)
    status = warning(page).get_by_role("status")
    await page.evaluate(
        """() => {
            window.said = [];
            const status = document.getElementById("live-single-session-time").shadowRoot
              .querySelector("[role=status]");
            said.push(status.textContent);
            new MutationObserver(() => said.push(status.textContent))
              .observe(status, { childList: true });
        }"""
    )
    await expect(status).to_have_text(re.compile(r"^in \d+ seconds$"))
    await is_told(page)
    said = await page.evaluate("said")
    assert 1 <= len(said) <= 2, said


async def test_the_session_of_the_warning_is_the_page_s(visitor, clock):
    page = await visitor.open()
    clock.ends_in(WARN - 5)
    await is_warned(page)
    assert (await page.evaluate("endings"))[0]["session"] == await session_of(page)
