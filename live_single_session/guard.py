"""Stops whatever a session is connected to when that session ends.

An ASGI middleware around any consumer or ASGI app. It adds no frame to anybody's
protocol: a websocket is closed with 4001, a streaming response ends, and the app inside
learns that its client has left, has a moment to clean up, and is cancelled.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings

from live_single_session.answers import HEADER, ended_body
from live_single_session.conf import conf
from live_single_session.farewell import Farewell, in_language_of
from live_single_session.standing import standing
from live_single_session.watch import Ended, watching
from live_single_session.websocket import CLOSE_ENDED, accept, close

GRACE_SECONDS = 5.0  # between being told that the client has left, and being cancelled

find_standing = database_sync_to_async(standing)


class Guard:
    """Wraps an ASGI app; needs ``session``, ``user`` and ``cookies`` in the scope."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("websocket", "http") or _is_our_own(scope):
            await self.inner(scope, receive, send)
            return
        found = await find_standing(
            scope["session"],
            scope["user"],
            scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME),
        )
        if found.farewell is not None:
            await _turn_away(scope, receive, send, found.farewell)
        elif found.session_id is None:
            await self.inner(scope, receive, send)
        else:
            async with watching(found.session_id, found.user_pk) as ended:
                if ended.done():
                    await _turn_away(scope, receive, send, ended.result())
                else:
                    await self._run(scope, Connection(scope, receive, send, ended))

    async def _run(self, scope: dict[str, Any], connection: "Connection") -> None:
        """Run the app until it is done, or for a moment longer than its session lives."""
        try:
            async with asyncio.timeout(None) as deadline, connection.cut_at_end(deadline):
                await self.inner(scope, connection.receive, connection.send)
        except TimeoutError:
            if not deadline.expired():
                raise


class Connection:
    """What the app inside sees of its client."""

    __slots__ = (
        "_cutter",
        "_ended",
        "_over",
        "_patience",
        "_receive",
        "_scope",
        "_send",
        "_started",
        "_stopped",
    )

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any, ended: Ended) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ended = ended
        self._started = False  # accepted, or the response has begun
        self._over = False  # closed by either side, or the response is complete
        self._patience: asyncio.Timeout | None = None  # while the app waits for the client
        self._stopped: asyncio.Future[None] | None = None
        self._cutter: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def cut_at_end(self, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        """Cut the client off when its session ends, and leave the app until the deadline."""

        def cut(ended: Ended) -> None:
            loop = asyncio.get_running_loop()
            deadline.reschedule(loop.time() + GRACE_SECONDS)
            self._cutter = loop.create_task(self._cut(ended.result()))

        self._ended.add_done_callback(cut)
        try:
            yield
        finally:
            self._ended.remove_done_callback(cut)
            if self._cutter is not None:
                await self._cutter

    async def receive(self) -> dict[str, Any]:
        """Return the client's next message; once the session has ended, that it has left."""
        if not self._ended.done():
            # Not a task beside the end: an idle connection is to cost little.
            patience = self._patience = asyncio.timeout(None)
            try:
                async with patience:
                    return self._received(await self._receive())
            except TimeoutError:
                if not patience.expired():
                    raise
            finally:
                self._patience = None
                if self._stopped is not None:
                    self._stopped.set_result(None)
        if self._scope["type"] == "websocket":
            return {"type": "websocket.disconnect", "code": CLOSE_ENDED}
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Pass on what the app says, as long as there is anybody to hear it."""
        if self._cutter is not None:
            return
        kind = message["type"]
        self._started |= kind in ("websocket.accept", "http.response.start")
        self._over |= kind == "websocket.close" or (
            kind == "http.response.body" and not message.get("more_body", False)
        )
        await self._send(message)

    def _received(self, message: dict[str, Any]) -> dict[str, Any]:
        self._over |= message["type"] in ("websocket.disconnect", "http.disconnect")
        return message

    async def _stop_receiving(self) -> None:
        """Wait for nothing more from the client: granian closes nothing that still receives."""
        if self._patience is not None:
            loop = asyncio.get_running_loop()
            self._stopped = loop.create_future()
            self._patience.reschedule(loop.time())
            await self._stopped

    async def _cut(self, farewell: Farewell) -> None:
        await self._stop_receiving()
        if self._over:
            return
        with suppress(OSError):  # the client may have left by now
            if self._scope["type"] == "websocket":
                if not self._started:
                    await accept(self._scope, self._send)
                await close(self._send, CLOSE_ENDED)
            elif self._started:
                await self._send({"type": "http.response.body", "body": b""})
            else:
                await _answer_401(self._scope, self._send, farewell)


async def _turn_away(
    scope: dict[str, Any], receive: Any, send: Any, farewell: Farewell
) -> None:
    if scope["type"] == "http":
        await _answer_401(scope, send, farewell)
        return
    await receive()  # websocket.connect
    await accept(scope, send)
    await close(send, CLOSE_ENDED)


async def _answer_401(scope: dict[str, Any], send: Any, farewell: Farewell) -> None:
    with in_language_of(scope):
        body = json.dumps(ended_body(farewell)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (HEADER.lower().encode(), farewell.reason.encode()),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _is_our_own(scope: dict[str, Any]) -> bool:
    """The package's own websocket is left alone: it says its farewell, and then closes."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return bool(scope["type"] == "websocket" and path == conf.WEBSOCKET_PATH)
