"""What the sockets of a session are told of its limits in time, and what they tell."""

import json

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from channels.testing import HttpCommunicator

from live_single_session.models import UserSession
from live_single_session.realtime.consumer import MOST_FRAMES
from live_single_session.routing import SingleSessionMiddlewareStack
from tests.helpers.browsers import AsyncBrowser, reasons
from tests.helpers.passing_time import PassingTime
from tests.servers.waiting import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)

IDLE, ACTIVITY, WARN = 900, 60, 60
ACTIVE = json.dumps({"type": "session.active"})


@pytest.fixture
def after(monkeypatch):
    """`await after(seconds)`: so much later; sockets are re-checked all the time."""
    return sync_to_async(PassingTime(monkeypatch))


@pytest.fixture
def limits(policy):
    """`limits(IDLE_SECONDS=...)`: the limits, with re-checks that tests needn't wait for."""

    def set_limits(**values):
        policy(RECHECK_SECONDS=0.2, ACTIVITY_SECONDS=ACTIVITY, WARN_SECONDS=WARN, **values)

    return set_limits


@pytest.fixture
async def hers(alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    return browser


async def test_inv4_every_socket_is_warned_and_told_of_the_end(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as one, browser.socket() as other:
        await one.frame(), await other.frame()
        await after(IDLE + ACTIVITY - WARN + 1)
        frame = await one.frame()
        assert 50 < frame.pop("in") < WARN
        assert frame == {
            "type": "session.ending",
            "session": str((await browser.row()).pk),
            "reason": "idle",
            "message": "You haven’t been active for a while.",
            "extendable": True,
        }
        assert (await other.frame())["in"] < WARN
        await after(WARN)
        for socket in (one, other):
            assert (await ended(socket))["reason"] == "idle"
            assert await socket.close_code() == 4001
    assert await sync_to_async(reasons)() == ["idle"]


async def ended(socket):
    """The next frame that is no warning."""
    while (frame := await socket.frame())["type"] == "session.ending":
        pass
    return frame


async def test_timers_do_it_where_the_re_check_would_be_too_late(alice, policy):
    """In real time, without a channel layer."""
    policy(RECHECK_SECONDS=300, IDLE_SECONDS=3, ACTIVITY_SECONDS=1, WARN_SECONDS=2)
    channel_layers.backends["default"] = None
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as socket:
        await socket.frame()
        assert 0 < (await socket.frame())["in"] <= 2
        assert (await socket.frame())["reason"] == "idle"


async def test_use_in_one_socket_calls_it_off_in_all(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as one, browser.socket() as other:
        await one.frame(), await other.frame()
        await after(IDLE + ACTIVITY - WARN + 1)
        await one.frame(), await other.frame()
        await one.send_to(ACTIVE)
        for socket in (one, other):
            frame = await socket.frame()
            while frame["in"] is not None:
                frame = await socket.frame()
            assert (frame["type"], frame["extendable"]) == ("session.ending", False)
        await after(IDLE - 1)
        assert await browser.who() == "alice"


async def test_a_request_calls_it_off_too(limits, alice, after, policy):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as socket:
        await socket.frame()
        await after(IDLE + ACTIVITY - WARN + 1)
        await socket.frame()
        limits(IDLE_SECONDS=IDLE)
        assert await browser.who() == "alice"
        frame = await socket.frame()
        while frame["in"] is not None:
            frame = await socket.frame()


async def test_a_lifetime_is_not_extended(limits, alice, after):
    limits(LIFETIME_SECONDS=3600)
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as socket:
        await socket.frame()
        await after(3600 - WARN + 1)
        frame = await socket.frame()
        assert (frame["reason"], frame["extendable"]) == ("lifetime", False)
        await socket.send_to(ACTIVE)
        await after(WARN)
        assert (await ended(socket))["reason"] == "lifetime"


async def test_frames_of_use_are_use(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    for _ in range(3):
        await after(IDLE // 2)
        async with browser.socket() as socket:
            await socket.frame()
            await socket.send_to(ACTIVE)
            await until_used(browser)
    assert await browser.who() == "alice"


async def until_used(browser):
    while True:
        row = await browser.row()
        if (row.ends_at - row.last_seen_at).total_seconds() >= IDLE and await is_fresh(row):
            return


@sync_to_async
def is_fresh(row):
    from live_single_session.registry import db

    now = UserSession.objects.annotate(now=db.Now()).get(pk=row.pk).now
    return (now - row.last_seen_at).total_seconds() < ACTIVITY


async def test_an_open_socket_is_no_use(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as socket:
        await socket.frame()
        for _ in range(IDLE // 100):
            await after(100)
            assert (await browser.get("/session/status/")).status_code == 200
        await after(ACTIVITY)
        assert (await ended(socket))["reason"] == "idle"


async def test_more_frames_than_a_script_sends_close_the_socket(hers, policy):
    policy(IDLE_SECONDS=IDLE)
    async with hers.socket() as socket:
        await socket.frame()
        for _ in range(MOST_FRAMES + 2):
            await socket.send_to(ACTIVE)
        assert await socket.close_code() == 4008


@pytest.mark.parametrize(
    "sent", ["{", "null", "[]", '{"type": 1}', '{"type": "session.hello"}']
)
async def test_other_frames_are_no_use(hers, policy, sent):
    policy(IDLE_SECONDS=IDLE)
    before = (await hers.row()).last_seen_at
    async with hers.socket() as socket:
        await socket.frame()
        await socket.send_to(sent)
        await socket.send_to(sent)
    assert (await hers.row()).last_seen_at == before


# Where there is no socket


async def test_the_status_warns(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    assert "ending" not in (await browser.get("/session/status/")).json()
    await after(IDLE + ACTIVITY - WARN + 1)
    ending = (await browser.get("/session/status/")).json()["ending"]
    assert 0 < ending["in"] <= WARN
    answer = (await browser.post_json("/session/active/")).json()
    assert answer == {"live": True, "session": ending["session"]}
    await after(IDLE - 1)
    assert await browser.who() == "alice"


async def test_active_is_told_of_an_end(limits, alice, after):
    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    await after(IDLE + ACTIVITY + 1)
    answer = await browser.post_json("/session/active/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "idle")


async def test_a_form_of_another_site_prolongs_nothing(hers, policy):
    policy(IDLE_SECONDS=IDLE)
    before = (await hers.row()).last_seen_at
    answer = await hers.post("/session/active/", {})
    assert answer.status_code == 415
    assert (await hers.get("/session/active/")).status_code == 405
    assert (await hers.row()).last_seen_at == before
    assert (await AsyncBrowser().post_json("/session/active/")).status_code == 401


# Apps beside Django


@pytest.mark.parametrize(("header", "is_use"), [(b"accept", True), (b"session-passive", False)])
async def test_a_request_to_an_app_beside_django_is_use(limits, alice, after, header, is_use):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limits(IDLE_SECONDS=IDLE)
    browser = AsyncBrowser()
    await browser.sign_in()
    await after(IDLE - 1)
    headers = [browser.cookie_header, (header, b"1")]
    asking = HttpCommunicator(
        SingleSessionMiddlewareStack(app), "GET", "/api/", headers=headers
    )
    assert (await asking.get_response(timeout=PATIENCE))["status"] == 204
    await after(IDLE - 1)
    assert (await browser.who() == "alice") is is_use
