"""Ends Django's own streaming responses when their session ends."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse

from live_single_session.realtime.watcher import Ended, watching

PATIENCE_SECONDS = 5.0  # until a stream that still waits is cancelled again

# Keeps the tasks alive: asyncio itself holds only weak references to them.
_closing: set[asyncio.Task[None]] = set()


def end_with_session(
    response: StreamingHttpResponse, session_id: UUID, user_pk: object
) -> None:
    """Let an asynchronous streaming response stop when the session ends.

    Args:
        response: it must be ``is_async``: its content comes from an async iterator.
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.
    """
    response.headers.pop("Content-Length", None)  # a stream that is cut is shorter
    chunks: Any = response.streaming_content
    response.streaming_content = _closed_in_time(_until_ended(chunks, session_id, user_pk))


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


async def _until_ended(
    chunks: AsyncGenerator[bytes], session_id: UUID, user_pk: object
) -> AsyncGenerator[bytes]:
    async with aclosing(chunks), watching(session_id, user_pk) as ended:
        while not ended.done():
            chunk = None
            with Interruption(ended):
                chunk = await anext(chunks, None)
            if chunk is None or ended.done():
                return
            yield chunk


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
        self._task.cancel()
        self._cancellations += 1
        self._again = self._task.get_loop().call_later(PATIENCE_SECONDS, self._interrupt, ended)
