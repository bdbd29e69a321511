"""The package's own websocket, as the contract words it."""

import json
import logging
import uuid
from datetime import datetime, timedelta

import pytest
from channels.security.websocket import AllowedHostsOriginValidator

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.realtime.watcher import get_watcher
from tests.asgi import application
from tests.helpers.browsers import FIREFOX, AsyncBrowser

pytestmark = pytest.mark.django_db(transaction=True)

NO_SESSIONS = [
    "",
    "42",
    "x" * 36,
    "%00",
    "%ff%fe",
    "x" * 10_000,
    "'; DROP TABLE--",
    uuid.uuid4(),
]


async def row_of(user):
    return await UserSession.objects.live().aget(user=user)


@pytest.fixture
async def hers(alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    return browser


# Watching


async def test_a_signed_in_browser_is_told_which_session_is_watched(hers, alice):
    async with hers.socket() as socket:
        assert socket.accepted
        assert await socket.frame() == {
            "type": "session.ready",
            "session": str((await row_of(alice)).pk),
        }


@pytest.mark.parametrize("session", [None, *NO_SESSIONS])
async def test_a_page_session_that_is_none_is_ignored(hers, alice, session):
    async with hers.socket(session) as socket:
        assert (await socket.frame())["session"] == str((await row_of(alice)).pk)


async def test_a_page_session_that_is_live_but_another_s_is_ignored(hers, alice, bob):
    await AsyncBrowser().sign_in("bob")
    async with hers.socket((await row_of(bob)).pk) as socket:
        assert await socket.frame() == {
            "type": "session.ready",
            "session": str((await row_of(alice)).pk),
        }


async def test_inv4_every_tab_is_told_at_once_by_whom_and_why(hers, alice):
    old = await row_of(alice)
    async with hers.socket() as one, hers.socket(old.pk) as other:
        assert (await one.frame())["type"] == (await other.frame())["type"] == "session.ready"
        await AsyncBrowser().sign_in(headers={"user-agent": FIREFOX})
        frame = await one.frame()
        assert frame == await other.frame()
        assert await one.close_code() == await other.close_code() == 4001
    at = datetime.fromisoformat(frame.pop("at"))
    await old.arefresh_from_db()
    assert (at, at.utcoffset()) == (old.ended_at, timedelta(0))
    assert frame == {
        "type": "session.ended",
        "session": str(old.pk),
        "reason": "superseded",
        "by": {"device": "Firefox on Linux", "ip": None},
        "signed_in": False,
        "title": "You’ve been signed out here",
        "message": "You signed in on Firefox on Linux, so you were signed out here.",
        "login_url": "/accounts/login/",
    }


async def test_inv4_the_address_is_told_where_disclose_says_so(hers, settings):
    settings.LIVE_SINGLE_SESSION = {"DISCLOSE": ("ip",), "CLIENT_IP": lambda request: "::7"}
    async with hers.socket() as socket:
        await socket.frame()
        await AsyncBrowser().sign_in(headers={"user-agent": FIREFOX})
        frame = await socket.frame()
    assert (frame["at"], frame["by"]) == (None, {"device": None, "ip": "::7"})


@pytest.mark.parametrize("reason", [r for r in EndReason if r != EndReason.SUPERSEDED])
async def test_inv4_each_reason_is_told_at_once(hers, alice, reason):
    async with hers.socket() as socket:
        await socket.frame()
        await registry.aend(await row_of(alice), reason)
        frame = await socket.frame()
        assert (frame["type"], frame["reason"], frame["by"]) == ("session.ended", reason, None)
        assert await socket.close_code() == 4001


async def test_inv4_signing_out_is_told_to_the_other_tabs(hers):
    async with hers.socket() as socket:
        await socket.frame()
        await hers.post("/async/api/logout/")
        assert (await socket.frame())["reason"] == "logged_out"


async def test_inv4_another_user_in_the_same_browser_is_told_to_the_other_tabs(hers, bob):
    async with hers.socket() as socket:
        await socket.frame()
        await hers.sign_in("bob")
        frame = await socket.frame()
        assert (frame["reason"], frame["by"]) == ("user_switched", None)


async def test_inv6_the_one_who_signs_in_is_told_nothing(hers, alice, bob):
    newer, his = AsyncBrowser(), AsyncBrowser()
    await his.sign_in("bob")
    async with his.socket() as bobs, hers.socket() as left:
        assert {(await s.frame())["type"] for s in (bobs, left)} == {"session.ready"}
        await newer.sign_in()
        async with newer.socket() as socket:
            assert (await socket.frame())["session"] == str((await row_of(alice)).pk)
            assert (await left.frame())["reason"] == "superseded"
            # What comes next to these two is the end of their own sessions.
            await registry.aend_all(alice, EndReason.REVOKED)
            await registry.aend_all(bob, EndReason.EXPIRED)
            assert (await socket.frame())["reason"] == "revoked"
            assert (await bobs.frame())["reason"] == "expired"


async def test_inv6_signing_in_again_in_the_same_browser_ends_nothing(hers, alice):
    async with hers.socket() as socket:
        session = (await socket.frame())["session"]
        await hers.sign_in()
        async with hers.socket() as other:
            assert (await other.frame())["session"] == session
        await registry.aend_all(alice, EndReason.REVOKED)
        assert (await socket.frame())["reason"] == "revoked"


# What is left to tell


async def test_inv4_a_dead_cookie_is_told_why(hers, alice):
    old = await row_of(alice)
    await AsyncBrowser().sign_in(headers={"user-agent": FIREFOX})
    async with hers.socket() as socket:
        frame = await socket.frame()
        assert await socket.close_code() == 4001
    assert (frame["session"], frame["reason"]) == (str(old.pk), "superseded")
    assert (frame["by"], frame["signed_in"]) == (
        {"device": "Firefox on Linux", "ip": None},
        False,
    )


async def test_inv4_a_stale_page_without_a_cookie_is_told_why(alice):
    await AsyncBrowser().sign_in()
    session = await row_of(alice)
    await registry.aend(session, EndReason.REVOKED)
    async with AsyncBrowser().socket(session.pk) as socket:
        frame = await socket.frame()
        assert (frame["session"], frame["reason"]) == (str(session.pk), "revoked")
        assert frame["signed_in"] is False
        assert await socket.close_code() == 4001


async def test_inv4_a_stale_page_is_told_that_its_browser_is_signed_in_again(hers, alice):
    stale = await row_of(alice)
    await hers.post("/async/api/logout/")
    await hers.sign_in()
    async with hers.socket(stale.pk) as socket:
        frame = await socket.frame()
        assert (frame["session"], frame["reason"]) == (str(stale.pk), "logged_out")
        assert frame["signed_in"] is True
        assert await socket.close_code() == 4001
    assert await hers.who() == "alice"


async def test_inv4_a_stale_page_is_told_of_itself_when_its_cookie_has_ended_too(hers, alice):
    stale = await row_of(alice)
    await hers.post("/async/api/logout/")
    await hers.sign_in()
    await type(alice).objects.filter(pk=alice.pk).aupdate(is_active=False)
    async with hers.socket(stale.pk) as socket:
        frame = await socket.frame()
        assert (frame["session"], frame["signed_in"]) == (str(stale.pk), False)


@pytest.mark.parametrize("session", [None, *NO_SESSIONS])
async def test_whoever_is_not_signed_in_is_turned_away(db, session):
    async with AsyncBrowser().socket(session) as socket:
        assert socket.accepted  # a code sent before would reach the browser as 1006
        assert await socket.close_code() == 4003


async def test_a_live_session_of_others_is_not_told_to_whoever_is_not_signed_in(hers, alice):
    async with AsyncBrowser().socket((await row_of(alice)).pk) as socket:
        assert await socket.close_code() == 4003


@pytest.mark.parametrize("cookie", ["x" * 32, "x" * 10_000, "..", "a b"])
async def test_an_unknown_cookie_is_turned_away(db, cookie):
    browser = AsyncBrowser()
    browser.cookies["sessionid"] = cookie
    async with browser.socket() as socket:
        assert await socket.close_code() == 4003


# Subprotocols


@pytest.mark.parametrize(
    ("offered", "chosen"), [([], None), (["a"], "a"), (["b", "a"], "b")], ids=str
)
@pytest.mark.parametrize("state", ["live", "ended", "not signed in"])
async def test_the_first_subprotocol_offered_is_chosen(hers, alice, offered, chosen, state):
    browser = AsyncBrowser() if state == "not signed in" else hers
    if state == "ended":
        await registry.aend_all(alice, EndReason.REVOKED)
    async with browser.socket(subprotocols=offered) as socket:
        assert (socket.accepted, socket.subprotocol) == (True, chosen)


# What a client sends


@pytest.mark.parametrize(
    "sent",
    ["hello", '{"type": "session.ended"}', "{", "\x00", "🦊" * 100, b"\x00\xff", b"x" * 1000],
)
async def test_what_a_client_sends_is_ignored(hers, alice, sent):
    async with hers.socket() as socket:
        await socket.frame()
        for _ in range(3):
            await socket.send_input(_frame(sent))
        await registry.aend_all(alice, EndReason.REVOKED)
        assert (await socket.frame())["reason"] == "revoked"


@pytest.mark.parametrize(
    ("sent", "times"), [("x", 100), (b"x", 100), ("x" * 1_000_000, 1), (b"\xff" * 1_000_000, 1)]
)
async def test_a_client_that_sends_much_is_cut_off(hers, sent, times):
    async with hers.socket() as socket:
        await socket.frame()
        for _ in range(times):
            await socket.send_input(_frame(sent))
        assert await socket.close_code() == 4008
    assert await hers.who() == "alice"


def _frame(content):
    kind = "bytes" if isinstance(content, bytes) else "text"
    return {"type": "websocket.receive", kind: content}


# Who may connect, and what it leaves behind


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        ("http://testserver", True),
        ("https://evil.example", False),
        ("https://testserver.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_a_foreign_origin_is_refused(hers, settings, origin, accepted):
    settings.ALLOWED_HOSTS = ["testserver"]
    mounted = AllowedHostsOriginValidator(
        application.application_mapping["websocket"].application
    )
    async with hers.websocket(
        "/ws/live-single-session/", {"Origin": origin}, application=mounted
    ) as socket:
        assert socket.accepted is accepted


async def test_a_socket_only_reads(hers, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    before = await _stored_sessions()
    async with hers.socket() as socket, AsyncBrowser().socket() as anonymous:
        await socket.frame()
        await anonymous.close_code()
    assert await _stored_sessions() == before


async def _stored_sessions():
    from django.contrib.sessions.models import Session

    return [row async for row in Session.objects.values_list()]


async def test_nobody_is_watched_when_everybody_has_left(hers):
    async with hers.socket() as socket, hers.socket():
        await socket.frame()
        assert get_watcher()._waiters
    assert not get_watcher()._waiters


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("de-CH,de;q=0.9", "Sie wurden hier abgemeldet"),
        ("tlh, en;q=0.5", "You’ve been signed out here"),
    ],
)
async def test_the_language_is_that_of_the_browser(hers, language, title):
    headers = {"Accept-Language": language}
    async with hers.socket(headers=headers) as socket:
        await socket.frame()
        await AsyncBrowser().sign_in(headers={"accept-language": "fr"})
        assert (await socket.frame())["title"] == title
    async with hers.socket(headers=headers) as socket:
        assert (await socket.frame())["title"] == title


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "x" * 10_240},
        {"User-Agent": "\x00\xff<script>"},
        {"Accept-Language": "\xff;;q=,,*" * 100},
        {"Cookie": "sessionid=\xff; =; ;;;"},
    ],
    ids=["huge user agent", "hostile user agent", "language", "cookie"],
)
async def test_hostile_headers_are_harmless(hers, headers):
    async with hers.socket(headers=headers) as socket:
        assert socket.accepted


async def test_inv4_without_a_channel_layer_the_recheck_tells(hers, settings, alice):
    settings.CHANNEL_LAYERS = {}
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 0.05}
    async with hers.socket() as socket:
        assert (await socket.frame())["type"] == "session.ready"
        await registry.aend_all(alice, EndReason.REVOKED)
        assert (await socket.frame())["reason"] == "revoked"


# Secrets


async def test_inv7_no_key_is_in_a_frame_a_log_line_or_a_group_s_name(hers, alice, bob, caplog):
    from channels.layers import get_channel_layer

    caplog.set_level(logging.DEBUG)
    newer = AsyncBrowser()
    secrets = {hers.cookie}
    async with hers.socket() as socket:
        frames = [await socket.frame()]
        groups = list(get_channel_layer().groups)
        await newer.sign_in()
        secrets.add(newer.cookie)
        frames.append(await socket.frame())
    await hers.get("/async/private/")
    for step in [newer.get("/async/rotate/"), newer.sign_in("bob")]:
        await step
        secrets.add(newer.cookie)
    await newer.post("/async/api/logout/")
    rows = [row async for row in UserSession.objects.all()]
    secrets |= {row.key_digest for row in rows}
    shown = json.dumps(frames) + repr(groups) + repr(rows)
    shown += "".join(repr(vars(record)) for record in _of_the_package(caplog.records))
    assert len(groups) == 1
    assert "superseded" in shown
    assert len(secrets) >= 6
    assert [secret for secret in secrets if secret in shown] == []


def _of_the_package(records):
    """Django's own loggers at DEBUG show queries, and so the keys in them."""
    return [record for record in records if record.name.startswith("live_single_session")]
