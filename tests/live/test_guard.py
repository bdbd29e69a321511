"""Invariant 2 around apps that know nothing of Django: the guard, on a live site and alone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import AsyncClient

from live_single_session import guard, registry
from live_single_session.models import EndReason, UserSession
from live_single_session.routing import SingleSessionMiddlewareStack
from tests.live.people import close_code, people
from tests.servers.daphne import Daphne
from tests.servers.waiting import await_until

PATIENCE = 20  # seconds; a test that gets there has failed
SECONDS = 5.0  # to wait for one message


@pytest.fixture
def site(site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]) -> Daphne:
    return start_daphne("tests.live.asgi:application", DATABASE_URL=site_database("sqlite"))


async def test_inv2_starlette_is_cut_off_with_the_session(site: Daphne) -> None:
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        assert (await old.http.get("/starlette/whoami")).json() == {"user": "alice"}
        async with (
            old.socket("/starlette/echo") as echo,
            old.http.stream("GET", "/starlette/events") as events,
        ):
            await echo.send("hello")
            assert await echo.recv() == "hello"
            lines = events.aiter_lines()
            await anext(lines)
            await new.sign_in()
            assert await close_code(echo) == 4001
            async for _line in lines:
                pass  # until it ends
        await await_until(lambda: "the client left with 4001" in site.log, "the disconnect")
        await await_until(lambda: "the stream was cleaned up" in site.log, "the clean-up")
        answer = await old.http.get("/starlette/whoami")
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
        assert answer.headers["Session-Ended"] == "superseded"


# The guard alone, with apps that behave in every way they may


@pytest_asyncio.fixture
async def signed_in(transactional_db: None) -> tuple[UserSession, dict[str, Any]]:
    client = AsyncClient()
    await client.aforce_login(await User.objects.acreate_user("alice"))
    cookie = client.cookies["sessionid"].value
    scope = {"path": "/somewhere/", "headers": [(b"cookie", f"sessionid={cookie}".encode())]}
    return await UserSession.objects.aget(), scope


def connect(app: Any, scope: dict[str, Any], kind: str) -> ApplicationCommunicator:
    stack = SingleSessionMiddlewareStack(app)
    return ApplicationCommunicator(stack, {**scope, "type": kind, "subprotocols": ["chat"]})


async def test_guard_accepts_before_it_closes_what_was_never_accepted(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in

    async def hesitant(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    socket = connect(hesitant, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert await socket.receive_nothing()
    await registry.aend(session, EndReason.REVOKED)
    accepted = await socket.receive_output(SECONDS)
    assert accepted == {"type": "websocket.accept", "subprotocol": "chat"}
    assert await socket.receive_output(SECONDS) == {"type": "websocket.close", "code": 4001}
    await socket.wait(SECONDS)


async def test_guard_cancels_an_app_that_does_not_listen(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    monkeypatch.setattr(guard, "GRACE_SECONDS", 0.05)
    cleaned_up = asyncio.Event()

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    socket = connect(deaf, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(SECONDS) == {"type": "websocket.close", "code": 4001}
    async with asyncio.timeout(SECONDS):
        await cleaned_up.wait()
    await socket.wait(SECONDS)  # without CancelledError: the server need not know


async def test_guard_drops_what_an_app_says_after_the_end(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in

    async def talkative(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        await send({"type": "websocket.send", "text": "one last secret"})
        await send({"type": "websocket.close"})

    socket = connect(talkative, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(SECONDS) == {"type": "websocket.close", "code": 4001}
    await socket.wait(SECONDS)
    assert await socket.receive_nothing()


async def test_guard_closes_no_socket_that_its_app_has_closed(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in

    async def done(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await receive()

    socket = connect(done, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    assert (await socket.receive_output(SECONDS))["code"] == 1000
    await registry.aend(session, EndReason.REVOKED)
    await socket.wait(SECONDS)
    assert await socket.receive_nothing()


async def test_guard_brings_an_app_nothing_that_came_after_the_end(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in
    ended = asyncio.Event()
    heard: list[str] = []

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await ended.wait()
        heard.append((await receive())["type"])

    socket = connect(busy, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(SECONDS) == {"type": "websocket.close", "code": 4001}
    await socket.send_input({"type": "websocket.receive", "text": "transfer everything"})
    ended.set()
    await socket.wait(SECONDS)
    assert heard == ["websocket.disconnect"]


async def test_guard_starts_no_app_for_a_session_that_ends_meanwhile(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    find_standing = guard.find_standing

    async def find_and_end(*args: Any) -> Any:
        found = await find_standing(*args)
        await registry.aend(session, EndReason.REVOKED)
        return found

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app was started")

    monkeypatch.setattr(guard, "find_standing", find_and_end)
    socket = connect(app, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    assert await socket.receive_output(SECONDS) == {"type": "websocket.close", "code": 4001}
    await socket.wait(SECONDS)


async def test_guard_loses_and_reorders_no_message(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    _, scope = signed_in

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    socket = connect(echo, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    texts = [str(number) for number in range(500)]
    for text in texts:
        await socket.send_input({"type": "websocket.receive", "text": text})
    assert [(await socket.receive_output(SECONDS))["text"] for _ in texts] == texts
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(SECONDS)


async def test_guard_keeps_a_message_for_an_app_that_stops_waiting_as_it_comes(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    """As ``asyncio.wait_for(receive(), ...)`` does, at whichever of these steps it runs out."""
    _, scope = signed_in
    steps = range(8)
    came = asyncio.Event()

    async def impatient(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for step in steps:
            waiting = asyncio.ensure_future(receive())
            await came.wait()
            came.clear()
            for _ in range(step):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            message = await receive() if waiting.cancelled() else waiting.result()
            await send({"type": "websocket.send", "text": message["text"]})

    socket = connect(impatient, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    for step in steps:
        await asyncio.sleep(0)
        await socket.send_input({"type": "websocket.receive", "text": str(step)})
        came.set()
        assert (await socket.receive_output(SECONDS))["text"] == str(step)
    await socket.wait(SECONDS)


async def test_guard_lets_an_app_raise_what_it_likes(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    _, scope = signed_in

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise TimeoutError("of its own")

    socket = connect(broken, scope, "websocket")
    with pytest.raises(TimeoutError, match="of its own"):
        await socket.wait(SECONDS)


async def test_guard_answers_401_where_no_response_has_begun(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in
    waiting = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        waiting.set()
        assert (await receive())["type"] == "http.disconnect"

    request = connect(slow, scope, "http")
    await request.send_input({"type": "http.request", "body": b"", "more_body": False})
    await waiting.wait()
    await registry.aend(session, EndReason.REVOKED)
    start = await request.receive_output(SECONDS)
    assert start["status"] == 401
    assert (b"session-ended", b"revoked") in start["headers"]
    assert b'"session_ended"' in (await request.receive_output(SECONDS))["body"]
    await request.wait(SECONDS)


async def test_guard_leaves_strangers_alone(transactional_db: None) -> None:
    """No cookie, no session: nothing to watch, and nothing in the way."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["user"].is_authenticated)
        with suppress(KeyError):
            seen.append(receive.__self__)

    socket = connect(app, {"path": "/somewhere/", "headers": []}, "websocket")
    await socket.wait(SECONDS)
    assert seen[0] is False
    assert not isinstance(seen[1], guard.Connection)
