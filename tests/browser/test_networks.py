"""Networks and servers that fail: nobody is signed out by them, and everybody is told."""

import math
import re
import time

import pytest

from tests.helpers.visitor import HURRY, IMPATIENT, PAGE, is_left_alone, is_told, session_of
from tests.servers.waiting import await_until

# For what must not happen there is no condition to wait for. HURRY makes it twenty seconds.
HALF_A_SECOND = "new Promise((done) => setTimeout(done, 20000))"
WORST_LUCK = "Math.random = () => 0.999999;"


@pytest.mark.server
@pytest.mark.parametrize("missing", ["", "delete AbortSignal.timeout;"])
async def test_inv4_told_by_polling_where_websockets_are_blocked(
    visitor, sign_in_elsewhere, missing
):
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(missing + HURRY)
    page = await _open(visitor)
    await await_until(lambda: visitor.front.checks() > 1, "the page to poll")

    await sign_in_elsewhere()

    await is_told(page)
    assert not visitor.front.sockets


async def test_inv4_told_by_polling_where_a_proxy_swallows_the_handshake(
    visitor, sign_in_elsewhere
):
    visitor.front.websockets = "swallow"
    await visitor.context.add_init_script(HURRY + IMPATIENT)
    page = await _open(visitor)

    await sign_in_elsewhere()

    await is_told(page)


async def test_returns_to_the_socket_when_it_can_and_stops_polling(visitor):
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    page = await _open(visitor)
    await await_until(lambda: visitor.front.checks() > 1, "the page to poll")

    visitor.front.websockets = "pass"

    await visitor.is_watching(page)
    asked = visitor.front.checks()
    pauses = len(await page.evaluate("pauses"))
    await page.evaluate(HALF_A_SECOND)
    assert visitor.front.checks() == asked
    assert len(await page.evaluate("pauses")) == pauses + 1


async def test_polling_pauses_in_hidden_tabs(visitor):
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    await visitor.context.add_init_script("""
        window.visible = "hidden";
        Object.defineProperty(document, "visibilityState", { get: () => window.visible });
    """)
    page = await _open(visitor)
    await page.wait_for_function("pauses.length > 12")
    assert visitor.front.checks() == 0

    await page.evaluate("visible = 'visible'")
    await visitor.glance_at(page)

    await await_until(lambda: visitor.front.checks() > 2, "the page to poll")


async def test_inv4_a_visible_tab_is_told_by_polling_though_the_leader_is_hidden(
    visitor, sign_in_elsewhere
):
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    leader = await visitor.context.new_page()
    await leader.add_init_script(
        'Object.defineProperty(document, "visibilityState", { get: () => "hidden" })'
    )
    await leader.goto(visitor.front.url + PAGE)
    page = await _open(visitor)
    await await_until(lambda: visitor.front.checks() > 1, "the visible page to poll")

    await sign_in_elsewhere()

    await is_told(page)
    await is_told(leader)  # the visible one tells it


async def test_pauses_grow_up_to_a_bound(visitor):
    """With the worst luck; a proxy refuses the socket and the server has no answer."""
    visitor.front.websockets = "refuse"
    _fail_checks(visitor.front)
    await visitor.context.add_init_script(HURRY + WORST_LUCK)
    page = await _open(visitor)

    await page.wait_for_function("pauses.length > 8")

    pauses = [round(ms) for ms in await page.evaluate("pauses")]
    assert pauses[:5] == [4000, 8000, 16_000, 30_000, 30_000]
    assert set(pauses[3:]) == {30_000}
    await is_left_alone(page)


async def test_pauses_are_fully_jittered(visitor):
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    first = []
    for _ in range(12):
        page = await _open(visitor)
        await page.wait_for_function("pauses.length > 0")
        first += [await page.evaluate("pauses[0]")]
        await page.close()

    assert all(0 <= ms <= 4000 for ms in first)
    assert max(first) - min(first) > 1000
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("status", ["500", "502", "404", "403", "401"])
async def test_an_answer_that_does_not_know_signs_nobody_out(visitor, status):
    """Also where somebody else's 401 is in the way, or a login page in the place of ours."""
    visitor.front.websockets = "refuse"
    _fail_checks(visitor.front, status)
    await visitor.context.add_init_script(HURRY)
    page = await _open(visitor)

    await await_until(lambda: visitor.front.checks() > 4, "the page to poll")

    await is_left_alone(page)


@pytest.mark.server
async def test_inv4_back_and_told_after_a_restart_of_the_server(
    visitor, daphne, sign_in_elsewhere
):
    await visitor.context.add_init_script(HURRY)
    page = await visitor.open()
    session = await session_of(page)

    daphne.restart()

    await await_until(lambda: visitor.front.handshakes > 1, "another try")
    await await_until(lambda: visitor.front.of(session), "the socket")
    await is_left_alone(page)
    await sign_in_elsewhere()
    await is_told(page)


async def test_a_hidden_tab_returns_soon_after_a_long_outage(visitor):
    """It doesn't poll meanwhile, but goes on trying the socket: nothing says it's blocked."""
    await visitor.context.add_init_script(HURRY)
    await visitor.context.add_init_script(
        'Object.defineProperty(document, "visibilityState", { get: () => "hidden" })'
    )
    visitor.front.websockets = "refuse"
    page = await _open(visitor)

    await await_until(lambda: visitor.front.handshakes > 6, "try after try")

    assert len(await page.evaluate("pauses")) <= visitor.front.handshakes + 1


async def test_a_page_that_was_looked_at_before_an_outage_tries_the_socket_at_once(visitor):
    """What status/ answered before says nothing of what is blocked now."""
    await visitor.context.add_init_script(HURRY)
    page = await visitor.open()
    async with page.expect_response("**/session/status/**"):
        await visitor.glance_at(page)
    await page.evaluate("fetch('/whoami/').then(() => null)")  # it has read that answer by then

    visitor.front.cut()

    await await_until(lambda: visitor.front.handshakes == 2, "another try")
    assert len(await page.evaluate("pauses")) == 1


async def test_inv4_told_on_waking_though_the_socket_looks_open(visitor, sign_in_elsewhere):
    page = await visitor.open()
    visitor.front.silence()
    await sign_in_elsewhere()
    await is_left_alone(page)

    await visitor.glance_at(page)

    await is_told(page)


async def test_inv4_told_when_the_network_is_back(visitor, sign_in_elsewhere):
    page = await visitor.open()
    visitor.front.silence()
    await visitor.context.set_offline(True)
    await sign_in_elsewhere()

    await visitor.context.set_offline(False)

    await is_told(page)


async def test_inv4_a_visible_tab_is_told_though_its_connection_died_without_a_word(
    visitor, sign_in_elsewhere
):
    await visitor.context.add_init_script(HURRY)
    visitor.front.edit(PAGE, 'data-recheck="30.0"', 'data-recheck="5"')
    page = await visitor.open()
    visitor.front.silence(endless=True)

    await sign_in_elsewhere()

    await is_told(page)


async def test_a_browser_with_many_tabs_asks_once_in_a_long_silence(visitor):
    """At the most: where the page that asks has been reached, the others keep quiet."""
    await visitor.context.add_init_script(HURRY)
    tabs = [await visitor.open() for _ in range(4)]
    await await_until(lambda: visitor.front.checks() > 0, "a tab to ask", seconds=30)
    asked, started = visitor.front.checks(), time.monotonic()

    await await_until(lambda: visitor.front.checks() > asked + 2, "three more", seconds=90)

    assert time.monotonic() - started > 2 * 300 / 40
    for tab in tabs:
        await is_left_alone(tab)


async def test_hidden_tabs_ask_nothing_however_long_the_silence(visitor):
    await visitor.context.add_init_script(
        HURRY + 'Object.defineProperty(document, "visibilityState", { get: () => "hidden" });'
    )
    visitor.front.edit(PAGE, 'data-recheck="30.0"', 'data-recheck="5"')
    page = await visitor.open()

    await page.evaluate("new Promise((done) => setTimeout(done, 2 * 180 * 1000))")

    assert visitor.front.checks() == 0
    assert visitor.front.handshakes == 1


async def test_a_socket_that_has_slept_is_replaced(visitor, sign_in_elsewhere):
    """The server gave it up long ago: it looks open, and would never say another word."""
    await visitor.context.add_init_script("""
        const now = Date.now;
        Date.now = () => now() + (window.slept || 0);
    """)
    leader = await visitor.open()
    tab = await visitor.open()
    visitor.front.silence()

    # The leader stays in the background; it is the other tab that somebody looks at.
    await leader.evaluate("slept = 3600 * 1000")
    await visitor.glance_at(tab)

    await await_until(lambda: visitor.front.handshakes == 2, "a new socket")
    await visitor.is_watching(leader)
    await await_until(lambda: len(visitor.front.sockets) == 1, "the old one to be closed")
    await sign_in_elsewhere()
    await is_told(leader)
    await is_told(tab)


async def test_a_fresh_socket_is_not_replaced_at_each_glance(visitor):
    page = await visitor.open()

    for _ in range(5):
        await visitor.glance_at(page)

    assert visitor.front.handshakes == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3012, 4000, 4008])
async def test_reconnects_after_every_close_code_but_two(visitor, code):
    sockets = await _close_each_socket_with(visitor, code)

    await await_until(lambda: len(sockets) > 2, "another try, and another")


@pytest.mark.parametrize("code", [4001, 4003])
async def test_stops_for_good_after_4001_and_4003_when_its_session_has_ended(visitor, code):
    """A page that signed itself in again would end the other one, and so on for ever."""
    sockets = await _close_each_socket_with(visitor, code, after=visitor.sign_out)

    [page] = visitor.context.pages
    await is_told(page)
    await page.evaluate(HALF_A_SECOND)
    assert len(sockets) == 1


@pytest.mark.parametrize("code", [4001, 4003])
async def test_inv4_sent_away_though_live_connects_again_and_is_told(
    visitor, sign_in_elsewhere, code
):
    """The server saw the cookie from before a key rotation, and the next one is right."""
    sockets = await _close_each_socket_with(visitor, code, times=1)
    [page] = visitor.context.pages

    await visitor.is_watching(page)
    await is_left_alone(page)
    await sign_in_elsewhere()

    await is_told(page)
    assert len(sockets) == 2


@pytest.mark.parametrize("code", [4001, 4003])
async def test_a_server_that_sends_it_away_though_live_is_met_with_growing_pauses(
    visitor, code
):
    sockets = await _close_each_socket_with(visitor, code, script=WORST_LUCK)
    [page] = visitor.context.pages

    await page.wait_for_function("pauses.length > 8")

    pauses = [round(ms) for ms in await page.evaluate("pauses")]
    assert pauses[:5] == [4000, 8000, 16_000, 30_000, 30_000]
    assert set(pauses[3:]) == {30_000}
    assert len(sockets) <= 5
    await is_left_alone(page)


async def _close_each_socket_with(
    visitor, code: int, *, times: float = math.inf, after=None, script: str = ""
) -> list:
    """The sockets that a page has opened so far."""
    await visitor.context.add_init_script(HURRY + script)
    page = await visitor.context.new_page()
    sockets = []

    async def close(socket) -> None:
        sockets.append(socket)
        if len(sockets) > times:
            socket.connect_to_server()
            return
        if after:
            await after()
        await socket.close(code=code)

    await page.route_web_socket(re.compile("/ws/live-single-session/"), close)
    await page.goto(visitor.front.url + PAGE)
    return sockets


async def _open(visitor):
    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)
    return page


def _fail_checks(front, status: str = "503") -> None:
    front.edits["/session/status/"] = lambda answer: (
        f"HTTP/1.1 {status} No\r\nContent-Type: text/html\r\n\r\n<h1>Sign in to the proxy</h1>"
    )
