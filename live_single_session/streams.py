"""Ends Django's own streaming responses with the session that they were made for."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse

from live_single_session.watch import watching


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
    response.streaming_content = _until_ended(chunks, session_id, user_pk)


async def _until_ended(
    chunks: AsyncIterable[bytes], session_id: UUID, user_pk: object
) -> AsyncIterator[bytes]:
    iterator = aiter(chunks)
    async with watching(session_id, user_pk) as ended:
        while not ended.done():
            step = asyncio.ensure_future(_next(iterator))
            try:
                waiting: set[asyncio.Future[Any]] = {step, ended}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not step.done():  # the session has ended, or the client has left
                    step.cancel()
                    await asyncio.wait({step})
            chunk = None if step.cancelled() else step.result()
            if chunk is None:
                return
            yield chunk


async def _next(iterator: AsyncIterator[bytes]) -> bytes | None:
    return await anext(iterator, None)
