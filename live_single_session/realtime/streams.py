"""Ends Django's own streaming responses when their session ends."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.http import StreamingHttpResponse

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.realtime.waiter import Ended
from live_single_session.realtime.watcher import watching

PATIENCE_SECONDS = 5.0  # with a stream that was interrupted and goes on to wait
TOO_MANY_CANCELLATIONS = 3  # that a stream swallows: its author is to know

logger = logging.getLogger("live_single_session")

# Keeps the tasks alive: asyncio itself holds only weak references to them.
_closing: set[asyncio.Task[None]] = set()


class Owner:
    """Whose session a stream belongs to, which may turn out only while it is read.

    Args:
        tenant: whose, where that is known and tenants have tables of their own.
    """

    def __init__(self, tenant: object = None) -> None:
        self.tenant = tenant
        self.session: tuple[UUID, object] | None = None
        self.when_known: Callable[[], object] | None = None

    def is_known(self, session_id: UUID, user_pk: object) -> None:
        """Note whose it is; in whichever thread."""
        self.session = session_id, user_pk
        if self.when_known is not None:
            self.when_known()

    def look(self, data: Mapping[str, Any]) -> None:
        """Note whose it is if somebody is signed in in this session."""
        session_id = as_uuid(data.get(SESSION_ID_KEY))
        if session_id is not None and SESSION_KEY in data:
            self.is_known(session_id, data[SESSION_KEY])


def end_with_session(response: StreamingHttpResponse, owner: Owner) -> None:
    """Let an asynchronous streaming response stop when its session ends.

    Args:
        response: it must be ``is_async``: its content comes from an async iterator.
        owner: whose it is.
    """
    chunks: Any = response.streaming_content
    response.streaming_content = _closed_in_time(_until_ended(chunks, owner))


async def _closed_in_time(stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Close a stream when the task that reads it is done.

    Nobody else does so where a client leaves in the middle. As a response and the wrapper of
    its content refer to each other, the stream would stay open until the garbage collector
    runs.
    """

    def close(consumer: asyncio.Task[Any]) -> None:
        task = consumer.get_loop().create_task(stream.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    consumer = asyncio.current_task()
    assert consumer is not None  # noqa: S101
    consumer.add_done_callback(close)
    async for chunk in stream:
        yield chunk


async def _until_ended(chunks: AsyncGenerator[bytes], owner: Owner) -> AsyncGenerator[bytes]:
    async with aclosing(chunks), _watching(owner) as ended:
        while not ended.done():
            chunk = None
            with Interruption(ended):
                chunk = await anext(chunks, None)
            if chunk is None or ended.done():
                return
            yield chunk


@asynccontextmanager
async def _watching(owner: Owner) -> AsyncIterator[Ended]:
    """Watch a stream's session from now on, or from when it turns out whose it is."""
    if owner.session is not None:
        async with watching(*owner.session, owner.tenant) as ended:
            yield ended
        return
    loop = asyncio.get_running_loop()
    relayed: Ended = loop.create_future()
    relays: list[asyncio.Task[None]] = []

    async def relay() -> None:
        assert owner.session is not None  # noqa: S101
        async with watching(*owner.session, owner.tenant) as ended:
            await asyncio.wait({ended})
            if not relayed.done():
                relayed.set_result(ended.result())

    def begin() -> None:
        if owner.when_known is not None and not relays:
            relays.append(loop.create_task(relay()))

    owner.when_known = lambda: loop.call_soon_threadsafe(begin)
    try:
        yield relayed
    finally:
        owner.when_known = None
        for task in relays:
            task.cancel()
            await asyncio.wait({task})
        relayed.cancel()


class Interruption:
    """Cancels what is awaited inside when a session has ended, and again until it stops.

    The stream is read in the task and the context of the response: it may keep context
    variables, task groups and timeouts from one chunk to the next. A timeout would cancel
    only once, and Redis clients sometimes lose a cancellation that meets an answer.
    """

    def __init__(self, ended: Ended) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._task = task
        self._ended = ended
        self._is_over = False
        self._cancelled_before = task.cancelling()
        self._cancellations = 0
        self._again: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._ended.add_done_callback(self._interrupt)

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> bool:
        self._is_over = True
        self._ended.remove_done_callback(self._interrupt)
        if self._again is not None:
            self._again.cancel()
        for _ in range(self._cancellations):
            self._task.uncancel()
        is_by_others = self._task.cancelling() > self._cancelled_before
        is_ours = self._cancellations > 0 and not is_by_others
        return is_ours and kind is asyncio.CancelledError

    def _interrupt(self, ended: Ended) -> None:
        if self._is_over:
            return
        if self._cancellations == TOO_MANY_CANCELLATIONS:
            logger.warning("A stream goes on to wait after its session has ended")
        self._task.cancel()
        self._cancellations += 1
        self._again = self._task.get_loop().call_later(PATIENCE_SECONDS, self._interrupt, ended)
