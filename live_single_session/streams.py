"""Ends Django's own streaming responses with the session that they were made for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse

from live_single_session.watch import watching

# A task is kept alive by nobody but the one who made it.
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
    chunks: Any = response.streaming_content
    response.streaming_content = _closed_in_time(_until_ended(chunks, session_id, user_pk))


async def _closed_in_time(stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Close a stream once nobody can ask for more.

    A client that leaves while it is being sent something leaves the stream where it stands;
    and since a response and what wraps its content hold each other, it would stand there
    until the garbage is collected.
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
            step = asyncio.ensure_future(_next(chunks))
            try:
                waiting: set[asyncio.Future[Any]] = {step, ended}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():  # the session has ended, or the client has left
                    step.cancel()
                    await asyncio.wait({step})
            chunk = None if step.cancelled() else step.result()
            if chunk is None or ended.done():
                return
            yield chunk


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
