"""Disconnects the client of an ASGI app when its session ends.

No message is added to the app's protocol: a websocket is closed, a stream ends. The app is
told that its client has left, has ``GRACE_SECONDS`` to clean up, and is then cancelled.
"""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from live_single_session.realtime.asgi import (
    CLOSE_ENDED,
    Application,
    Message,
    Receive,
    Scope,
    Send,
    accept,
    close,
)
from live_single_session.realtime.waiter import Ended

GRACE_SECONDS = 5.0  # between the news that the client has left and the cancellation


class Connection(ABC):
    """A connection as the app sees it: passes messages on until the session ends."""

    __slots__ = (
        "_cutter",
        "_deadline",
        "_ended",
        "_is_app_done",
        "_is_told",
        "_nobody_waits",
        "_over",
        "_receive",
        "_scope",
        "_send",
        "_waiting",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, ended: Ended) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._ended = ended
        self._over = False  # closed by either side, or the response is complete
        self._deadline = asyncio.timeout(None)
        self._is_app_done = False
        self._is_told = False  # whether the app knows that its client has left
        self._waiting: list[asyncio.Timeout] = []  # the app's pending calls of receive()
        self._nobody_waits: asyncio.Future[None] | None = None
        self._cutter: asyncio.Task[None] | None = None

    async def run(self, app: Application) -> None:
        """Run the app until it is done, or its time to clean up has passed."""
        self._ended.add_done_callback(self._session_has_ended)
        try:
            async with self._deadline:
                await app(self._scope, self.receive, self.send)
        except TimeoutError:
            if not self._deadline.expired():
                raise
        finally:
            self._is_app_done = True
            self._ended.remove_done_callback(self._session_has_ended)
            await self._client_is_cut_off()

    async def receive(self) -> Message:
        """Return the client's next message; after the disconnection, a disconnect message."""
        if self._cutter is None:
            # A timeout, not a second task: an idle connection must stay cheap.
            patience = asyncio.timeout(None)
            self._waiting.append(patience)
            try:
                async with patience:
                    return self._received(await self._receive())
            except TimeoutError:
                if not patience.expired():
                    raise
            finally:
                self._waits_no_longer(patience)
        elif self._is_told:
            await asyncio.get_running_loop().create_future()  # an app may receive in a loop
        self._is_told = True
        return self._disconnect()

    @abstractmethod
    async def send(self, message: Message) -> None:
        """Pass on a message of the app until the client is disconnected."""

    @abstractmethod
    def _is_to_be_cut_off(self) -> bool: ...

    @abstractmethod
    async def _hang_up(self) -> None: ...

    @abstractmethod
    def _disconnect(self) -> Message: ...

    def _session_has_ended(self, _ended: Ended) -> None:
        self._cut_off_if_need_be()

    def _cut_off_if_need_be(self) -> None:
        if self._cutter is None and not self._is_app_done and self._is_to_be_cut_off():
            loop = asyncio.get_running_loop()
            self._deadline.reschedule(loop.time() + GRACE_SECONDS)
            self._cutter = loop.create_task(self._cut_off())

    async def _cut_off(self) -> None:
        await self._stop_receiving()
        if not self._over:
            with suppress(OSError):  # the client may have left by now
                await self._hang_up()

    async def _client_is_cut_off(self) -> None:
        """Wait until the client is disconnected, but not for ever: it may read nothing."""
        if self._cutter is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._deadline.when()):
                    await self._cutter

    async def _stop_receiving(self) -> None:
        """End pending calls of receive(): granian closes nothing while one is pending."""
        if self._waiting:
            loop = asyncio.get_running_loop()
            self._nobody_waits = loop.create_future()
            for patience in self._waiting:
                patience.reschedule(loop.time())
            await self._nobody_waits

    def _waits_no_longer(self, patience: asyncio.Timeout) -> None:
        self._waiting.remove(patience)
        stopped = self._nobody_waits
        if stopped is not None and not self._waiting and not stopped.done():
            stopped.set_result(None)

    def _received(self, message: Message) -> Message:
        self._over |= message["type"] in ("websocket.disconnect", "http.disconnect")
        return message


class Websocket(Connection):
    """A websocket: closed at once when the session ends, whatever its app is doing."""

    __slots__ = ("_accepted",)

    def __init__(self, scope: Scope, receive: Receive, send: Send, ended: Ended) -> None:
        super().__init__(scope, receive, send, ended)
        self._accepted = False

    async def send(self, message: Message) -> None:
        """Pass on a message of the app until the client is disconnected."""
        if self._cutter is not None:
            return
        self._accepted |= message["type"] == "websocket.accept"
        self._over |= message["type"] in ("websocket.close", "websocket.http.response.start")
        await self._send(message)

    def _is_to_be_cut_off(self) -> bool:
        return not self._over

    async def _hang_up(self) -> None:
        if not self._accepted:
            await accept(self._scope, self._send)
        await close(self._send, CLOSE_ENDED)

    def _disconnect(self) -> Message:
        return {"type": "websocket.disconnect", "code": CLOSE_ENDED}


class Exchange(Connection):
    """A request and its response: sent whole, even if the session ends; but a stream ends.

    A response with a ``Content-Length`` is never cut: the client would wait for the rest.
    """

    __slots__ = ("_is_stream",)

    def __init__(self, scope: Scope, receive: Receive, send: Send, ended: Ended) -> None:
        super().__init__(scope, receive, send, ended)
        self._is_stream = False

    async def send(self, message: Message) -> None:
        """Pass on a message of the app until the client is disconnected."""
        if self._cutter is not None:
            return
        is_start = message["type"] == "http.response.start"
        self._is_stream |= is_start and not _says_its_length(message)
        self._over |= _is_last(message)
        await self._send(message)
        if not self._ended.done():
            return
        if is_start:  # if its whole body follows, it is no stream
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cut_off_if_need_be)
        else:
            self._cut_off_if_need_be()

    def _is_to_be_cut_off(self) -> bool:
        return self._is_stream and not self._over

    async def _hang_up(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    def _disconnect(self) -> Message:
        return {"type": "http.disconnect"}


def _says_its_length(start: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in start.get("headers", ()))


def _is_last(message: Message) -> bool:
    kind = message["type"]
    return kind == "http.response.pathsend" or (
        kind in ("http.response.body", "http.response.zerocopysend")
        and not message.get("more_body", False)
    )
