"""Invariant 2 around apps that know nothing of Django: the guard, on a live site and alone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator
from channels.consumer import AsyncConsumer, SyncConsumer

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.notices import notice_of_unknown
from live_single_session.realtime import cutoff, guard
from live_single_session.realtime.watcher import get_watcher
from live_single_session.routing import SingleSessionMiddlewareStack
from tests.helpers.browsers import signed_in_browser
from tests.helpers.people import close_code, people
from tests.servers.daphne import Daphne
from tests.servers.waiting import PATIENCE, await_until

WITHOUT_RECHECK = {"RECHECK_SECONDS": 3600}  # which would hide that a push was never sent


@pytest.fixture
def site(site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]) -> Daphne:
    return start_daphne(
        "tests.site.foreign_apps:application",
        DATABASE_URL=site_database("sqlite"),
        LIVE_SINGLE_SESSION=WITHOUT_RECHECK,
    )


async def test_inv2_starlette_is_cut_off_with_the_session(site: Daphne) -> None:
    async with asyncio.timeout(5 * PATIENCE), people(site, "alice", "alice") as (old, new):
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
    browser = await signed_in_browser()
    scope = {"method": "GET", "path": "/somewhere/", "headers": [browser.cookie_header]}
    return await browser.row(), scope


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
    accepted = await socket.receive_output(PATIENCE)
    assert accepted == {"type": "websocket.accept", "subprotocol": "chat"}
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.wait(PATIENCE)


async def test_guard_cancels_an_app_that_does_not_listen(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.05)
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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    async with asyncio.timeout(PATIENCE):
        await cleaned_up.wait()
    await socket.wait(PATIENCE)  # without CancelledError: the server need not know


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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.wait(PATIENCE)
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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    assert (await socket.receive_output(PATIENCE))["code"] == 1000
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_nothing()
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(PATIENCE)


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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.send_input({"type": "websocket.receive", "text": "transfer everything"})
    ended.set()
    await socket.wait(PATIENCE)
    assert heard == ["websocket.disconnect"]


async def test_guard_starts_no_app_for_a_session_that_ends_meanwhile(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    find_status = guard.find_status

    async def find_and_end(*args: Any) -> Any:
        found = await find_status(*args)
        await registry.aend(session, EndReason.REVOKED)
        return found

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app was started")

    monkeypatch.setattr(guard, "find_status", find_and_end)
    socket = connect(app, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.wait(PATIENCE)


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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    texts = [str(number) for number in range(500)]
    for text in texts:
        await socket.send_input({"type": "websocket.receive", "text": text})
    assert [(await socket.receive_output(PATIENCE))["text"] for _ in texts] == texts
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(PATIENCE)


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
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    for step in steps:
        await asyncio.sleep(0)
        await socket.send_input({"type": "websocket.receive", "text": str(step)})
        came.set()
        assert (await socket.receive_output(PATIENCE))["text"] == str(step)
    await socket.wait(PATIENCE)


async def test_guard_lets_an_app_raise_what_it_likes(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    _, scope = signed_in

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise TimeoutError("of its own")

    socket = connect(broken, scope, "websocket")
    with pytest.raises(TimeoutError, match="of its own"):
        await socket.wait(PATIENCE)


class Forgetful(AsyncConsumer):
    """Nobody stops it: it has forgotten ``StopConsumer``."""

    disconnects: ClassVar[list[Any]] = []

    async def websocket_connect(self, event: Any) -> None:
        await self.send({"type": "websocket.accept"})

    async def websocket_disconnect(self, event: Any) -> None:
        self.disconnects.append(event["code"])
        assert len(self.disconnects) < 10


class SyncForgetful(SyncConsumer):
    disconnects: ClassVar[list[Any]] = []

    def websocket_connect(self, event: Any) -> None:
        self.send({"type": "websocket.accept"})

    def websocket_disconnect(self, event: Any) -> None:
        self.disconnects.append(event["code"])
        assert len(self.disconnects) < 10


@pytest.mark.parametrize("consumer", [Forgetful, SyncForgetful])
async def test_guard_tells_a_consumer_once_that_its_client_has_left(
    signed_in: tuple[UserSession, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    consumer: Any,
) -> None:
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(consumer, "disconnects", [])
    socket = connect(consumer.as_asgi(), scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.wait(PATIENCE)
    assert consumer.disconnects == [4001]


async def test_guard_cancels_an_app_that_goes_on_asking_for_messages(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keeping the event loop, which could then cancel nobody."""
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.05)
    heard: list[str] = []

    async def insatiable(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while len(heard) < 10:
            heard.append((await receive())["type"])

    socket = connect(insatiable, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_output(PATIENCE) == {"type": "websocket.close", "code": 4001}
    await socket.wait(PATIENCE)
    assert heard == ["websocket.disconnect"]


@pytest.mark.parametrize(
    "denial",
    [
        [{"type": "websocket.http.response.body", "body": b"no"}],
        [{"type": "websocket.http.response.body", "body": b"no", "more_body": True}],
    ],
)
async def test_guard_adds_nothing_to_a_socket_that_its_app_denies(
    signed_in: tuple[UserSession, dict[str, Any]], denial: list[dict[str, Any]]
) -> None:
    session, scope = signed_in
    says = [{"type": "websocket.http.response.start", "status": 403, "headers": []}, *denial]
    resume = asyncio.Event()

    async def denying(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in says:
            await send(message)
        await resume.wait()

    socket = connect(denying, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert [await socket.receive_output(PATIENCE) for _ in says] == says
    await registry.aend(session, EndReason.REVOKED)
    assert await socket.receive_nothing()
    resume.set()
    await socket.wait(PATIENCE)


async def test_guard_does_not_mind_an_app_that_finishes_as_its_session_ends(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in
    finish = asyncio.Event()
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, it: problems.append(it))

    async def finishing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await finish.wait()

    socket = connect(finishing, scope, "websocket")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(PATIENCE))["type"] == "websocket.accept"
    [entry] = get_watcher()._waiters[session.pk]
    finish.set()
    entry.end(notice_of_unknown(session.pk))
    await socket.wait(PATIENCE)
    assert await socket.receive_nothing()
    assert problems == []


# Requests


START = {"type": "http.response.start", "status": 200, "headers": []}
STREAM = {"type": "http.response.body", "body": b"tick", "more_body": True}
LAST = {"type": "http.response.body", "body": b""}
LONG = {**START, "headers": [(b"Content-Length", b"8")]}
NO_CONTENT = {**START, "status": 204}
FILE = {"type": "http.response.pathsend", "path": "/srv/report.pdf"}


class Held:
    """An app that says something, and something more once it may go on."""

    def __init__(self, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        self.before, self.after = before, after
        self.waits, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for message in self.before:
            await send(message)
        self.waits.set()
        await self.may_go_on.wait()
        for message in self.after:
            await send(message)


async def hear(request: ApplicationCommunicator, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        assert await request.receive_output(PATIENCE) == message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [NO_CONTENT, LAST]),
        ([], [LONG, STREAM, STREAM, LAST]),
        ([LONG], [STREAM, STREAM, LAST]),
        ([LONG, STREAM], [STREAM, LAST]),
        ([], [START, FILE]),
        ([START, FILE], []),
    ],
    ids=["all", "all of it in parts", "the body", "the rest", "a file", "nothing"],
)
async def test_request_that_is_running_when_its_session_ends_gets_its_own_answer(
    signed_in: tuple[UserSession, dict[str, Any]],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
) -> None:
    session, scope = signed_in
    app = Held(before, after)
    request = connect(app, scope, "http")
    await request.send_input({"type": "http.request", "body": b""})
    await hear(request, before)
    async with asyncio.timeout(PATIENCE):
        await app.waits.wait()
    await registry.aend(session, EndReason.REVOKED)
    assert await request.receive_nothing()
    app.may_go_on.set()
    await hear(request, after)
    await request.wait(PATIENCE)
    assert await request.receive_nothing()


async def test_request_that_signs_its_user_out_gets_its_own_answer(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    """And reads what it is sent to its end."""
    session, scope = signed_in

    async def sign_out(scope: Any, receive: Any, send: Any) -> None:
        await registry.aend(session, EndReason.LOGGED_OUT)
        assert (await receive())["body"] == b"good"
        assert (await receive())["body"] == b"bye"
        await send(NO_CONTENT)
        await send(LAST)

    request = connect(sign_out, scope, "http")
    await request.send_input({"type": "http.request", "body": b"good", "more_body": True})
    assert await request.receive_nothing()
    await request.send_input({"type": "http.request", "body": b"bye"})
    await hear(request, [NO_CONTENT, LAST])
    await request.wait(PATIENCE)


async def test_request_that_comes_after_the_end_of_its_session_gets_401(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in
    await registry.aend(session, EndReason.REVOKED)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app was started")

    request = connect(app, scope, "http")
    start = await request.receive_output(PATIENCE)
    assert start["status"] == 401
    assert (b"session-ended", b"revoked") in start["headers"]
    assert b'"session_ended"' in (await request.receive_output(PATIENCE))["body"]
    await request.wait(PATIENCE)


@pytest.mark.parametrize("before", [[START], [START, STREAM]])
async def test_inv2_stream_of_an_app_is_cut_when_its_session_ends(
    signed_in: tuple[UserSession, dict[str, Any]], before: list[dict[str, Any]]
) -> None:
    session, scope = signed_in
    app = Held(before, [STREAM, LAST])
    request = connect(app, scope, "http")
    await hear(request, before)
    await registry.aend(session, EndReason.REVOKED)
    await hear(request, [LAST])
    app.may_go_on.set()
    await request.wait(PATIENCE)
    assert await request.receive_nothing()


async def test_inv2_stream_that_begins_after_the_end_is_cut_at_its_first_part(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    session, scope = signed_in
    told: list[str] = []

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await registry.aend(session, EndReason.REVOKED)
        await send(START)
        for _ in range(3):
            await send(STREAM)
        told.append((await receive())["type"])

    request = connect(late, scope, "http")
    await request.send_input({"type": "http.request", "body": b""})
    await hear(request, [START, STREAM, LAST])
    await request.wait(PATIENCE)
    assert told == ["http.disconnect"]
    assert await request.receive_nothing()


async def test_inv2_stream_that_begins_after_the_end_and_is_silent_is_cut(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.05)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await registry.aend(session, EndReason.REVOKED)
        await send(START)
        assert (await receive())["type"] == "http.disconnect"

    request = connect(silent, scope, "http")
    await request.send_input({"type": "http.request", "body": b""})
    await hear(request, [START, LAST])
    await request.wait(PATIENCE)


async def test_guard_lets_an_app_work_on_behind_a_complete_answer(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Starlette's background tasks do."""
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.01)
    work = asyncio.Event()
    done: list[bool] = []

    async def working(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        await work.wait()
        done.append(True)

    request = connect(working, scope, "http")
    await hear(request, [START, LAST])
    await registry.aend(session, EndReason.REVOKED)
    assert await request.receive_nothing(timeout=0.2)
    work.set()
    await request.wait(PATIENCE)
    assert done == [True]


async def test_guard_tells_everybody_in_an_app_who_waits_for_its_client(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    """As a stream of Starlette's waits, beside an endpoint that asks ``is_disconnected()``."""
    session, scope = signed_in
    told: list[str] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> None:
            told.append((await receive())["type"])

        await send(START)
        await asyncio.gather(listen(), listen())

    request = connect(listening, scope, "http")
    await hear(request, [START])
    await registry.aend(session, EndReason.REVOKED)
    await hear(request, [LAST])
    await request.wait(PATIENCE)
    assert told == ["http.disconnect"] * 2


# Clients that read slowly


class SlowClient:
    """Reads a message only when it is told to."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._reads = asyncio.Semaphore(0)

    async def send(self, message: dict[str, Any]) -> None:
        await self._reads.acquire()
        self.heard.append(message)

    def read(self) -> None:
        self._reads.release()


async def test_guard_holds_an_app_back_as_its_client_does(
    signed_in: tuple[UserSession, dict[str, Any]],
) -> None:
    _, scope = signed_in
    client = SlowClient()
    sent: list[int] = []

    async def eager(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(3):
            await send(STREAM)
            sent.append(number)
        await send(LAST)

    app = SingleSessionMiddlewareStack(eager)
    request = asyncio.create_task(
        app({**scope, "type": "http"}, asyncio.Event().wait, client.send)
    )
    for count in range(1, 6):
        client.read()
        await await_until(lambda count=count: len(client.heard) == count, "it to be heard")
        assert len(sent) in (count - 2, count - 1)
    async with asyncio.timeout(PATIENCE):
        await request
    assert client.heard == [START, STREAM, STREAM, STREAM, LAST]


async def test_guard_does_not_wait_for_a_client_that_reads_nothing(
    signed_in: tuple[UserSession, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, scope = signed_in
    monkeypatch.setattr(cutoff, "GRACE_SECONDS", 0.05)
    client = SlowClient()

    async def streaming(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(STREAM)

    app = SingleSessionMiddlewareStack(streaming)
    request = asyncio.create_task(
        app({**scope, "type": "http"}, asyncio.Event().wait, client.send)
    )
    client.read()
    await await_until(lambda: client.heard == [START], "the start to be heard")
    await registry.aend(session, EndReason.REVOKED)
    async with asyncio.timeout(PATIENCE):
        await request
    assert client.heard == [START]


# Strangers


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_guard_leaves_strangers_alone(transactional_db: None, kind: str) -> None:
    """No cookie, no session: nothing to watch, and nothing in the way of a request.

    A websocket may yet sign in, and has to be closed then.
    """
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["user"].is_authenticated)
        with suppress(KeyError):
            seen.append(receive.__self__)

    scope = {"path": "/somewhere/", "headers": [], "method": "GET"}
    connection = connect(app, scope, kind)
    await connection.wait(PATIENCE)
    assert seen[0] is False
    assert isinstance(seen[1], cutoff.Connection) == (kind == "websocket")
    assert not get_watcher()._waiters
