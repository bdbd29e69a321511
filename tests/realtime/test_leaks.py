"""Nothing is left behind, whichever side ends first: no task, channel, group or future."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer, get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.urls import path

from live_single_session import registry
from live_single_session.models import EndReason
from live_single_session.realtime.watcher import get_watcher
from live_single_session.routing import SingleSessionMiddlewareStack, websocket_urlpatterns
from tests.helpers.browsers import AsyncBrowser, signed_in_browser
from tests.servers.waiting import PATIENCE, await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROUNDS = 200  # of each way to end, in each kind of socket
AT_ONCE = 50


class Talker(AsyncWebsocketConsumer):
    """Somebody's consumer, in a group of its own, that can be made to fail."""

    groups = ["talk"]

    async def receive(self, text_data: str | None = None, bytes_data: Any = None) -> None:
        if text_data == "fail":
            raise ZeroDivisionError
        await self.send(text_data)


application = SingleSessionMiddlewareStack(
    URLRouter([*websocket_urlpatterns, path("ws/talk/", Talker.as_asgi())])
)


async def connect(browser: AsyncBrowser, where: str) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(application, where, headers=[browser.cookie_header])
    connected, _ = await socket.connect(timeout=PATIENCE)
    assert connected
    return socket


@pytest_asyncio.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    layer = get_channel_layer()
    assert isinstance(layer, InMemoryChannelLayer)
    watch = get_watcher()
    await await_until(
        lambda: asyncio.all_tasks() - before == {asyncio.current_task()}, "all tasks to end"
    )
    # Channels itself leaves a consumer's groups behind that fails or is cancelled.
    assert [name for name in layer.groups if name != "talk"] == []
    assert (watch._waiters, watch._groups, watch._unseen) == ({}, {}, set())
    assert watch._task is None


async def leave(socket: WebsocketCommunicator, browser: AsyncBrowser) -> None:
    await socket.disconnect()


async def break_off(socket: WebsocketCommunicator, browser: AsyncBrowser) -> None:
    """What a server does that shuts down, or loses patience."""
    socket.future.cancel()
    with suppress(asyncio.CancelledError):
        await socket.future


async def fail(socket: WebsocketCommunicator, browser: AsyncBrowser) -> None:
    await socket.send_to(text_data="fail")
    with suppress(ZeroDivisionError):
        await socket.wait(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("where", "end"),
    [
        ("/ws/live-single-session/", leave),
        ("/ws/live-single-session/", break_off),
        ("/ws/talk/", leave),
        ("/ws/talk/", break_off),
        ("/ws/talk/", fail),
    ],
)
async def test_nothing_is_left_when_a_connection_ends(where: str, end: Any) -> None:
    browser = await signed_in_browser()
    for _ in range(ROUNDS // AT_ONCE):
        sockets = await asyncio.gather(*(connect(browser, where) for _ in range(AT_ONCE)))
        await asyncio.gather(*(end(socket, browser) for socket in sockets))


@pytest.mark.parametrize("where", ["/ws/live-single-session/", "/ws/talk/"])
async def test_nothing_is_left_when_a_session_ends(where: str) -> None:
    for _ in range(ROUNDS // AT_ONCE):
        browser = await signed_in_browser()
        sockets = await asyncio.gather(*(connect(browser, where) for _ in range(AT_ONCE)))
        await registry.aend(await browser.row(), EndReason.REVOKED)
        for socket in sockets:
            while (message := await socket.receive_output(timeout=PATIENCE))[
                "type"
            ] != "websocket.close":
                assert where == "/ws/live-single-session/", message  # no frame of ours
            assert message["code"] == 4001
            await socket.wait(timeout=PATIENCE)
    # The consumer was told that its client had left, and has cleaned up.
    assert "talk" not in get_channel_layer().groups


# Streams and answers of apps that are neither Django's nor Channels'


class Streaming:
    """Streams to one who listens; knows how many it is serving."""

    def __init__(self) -> None:
        self.serving = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.serving += 1
        try:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.serving -= 1


streaming = Streaming()


async def open_stream(browser: AsyncBrowser) -> ApplicationCommunicator:
    scope = {"type": "http", "path": "/events/", "headers": [browser.cookie_header]}
    stream = ApplicationCommunicator(SingleSessionMiddlewareStack(streaming), scope)
    await stream.send_input({"type": "http.request", "body": b""})
    assert (await stream.receive_output(timeout=PATIENCE))["status"] == 200
    assert (await stream.receive_output(timeout=PATIENCE))["body"] == b"tick"
    return stream


async def leave_stream(stream: ApplicationCommunicator) -> None:
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(timeout=PATIENCE)


async def break_stream_off(stream: ApplicationCommunicator) -> None:
    stream.future.cancel()
    with suppress(asyncio.CancelledError):
        await stream.future


@pytest.mark.parametrize("end", [leave_stream, break_stream_off])
async def test_nothing_is_left_when_a_stream_ends(end: Any) -> None:
    browser = await signed_in_browser()
    for _ in range(ROUNDS // AT_ONCE):
        streams = await asyncio.gather(*(open_stream(browser) for _ in range(AT_ONCE)))
        await asyncio.gather(*(end(stream) for stream in streams))
    assert streaming.serving == 0


async def test_nothing_is_left_when_the_session_of_a_stream_ends() -> None:
    for _ in range(ROUNDS // AT_ONCE):
        browser = await signed_in_browser()
        streams = await asyncio.gather(*(open_stream(browser) for _ in range(AT_ONCE)))
        await registry.aend(await browser.row(), EndReason.REVOKED)
        for stream in streams:
            last = await stream.receive_output(timeout=PATIENCE)
            assert last == {"type": "http.response.body", "body": b""}
            await stream.wait(timeout=PATIENCE)
    assert streaming.serving == 0
