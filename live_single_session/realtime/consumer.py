"""The package's own websocket: says which session it watches, and when that has ended."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import AsyncConsumer

from live_single_session.notices import EndNotice, in_language_of
from live_single_session.realtime import measures
from live_single_session.realtime.asgi import (
    CLOSE_ENDED,
    CLOSE_NOT_SIGNED_IN,
    CLOSE_TALKATIVE,
    Receive,
    Scope,
    Send,
    accept,
    close,
    say,
)
from live_single_session.realtime.lookup import find_status
from live_single_session.realtime.watcher import watching
from live_single_session.session_status import SessionStatus

# How much a client, which has nothing to send, may send before it is disconnected.
MOST_FRAMES = 16
MOST_CHARACTERS = 4096
# For each session in this process. A browser needs one, or one for each tab.
MOST_SOCKETS = 100

_sockets: Counter[UUID] = Counter()


class SingleSessionConsumer(AsyncConsumer):  # type: ignore[misc]
    """Serves the protocol of ``session.ready`` and ``session.ended``.

    It has no channel of its own in the channel layer, so a failure of the layer doesn't end
    it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        await accept(scope, send)
        found = await find_status(scope, _page_session(scope))
        if found.notice is not None:
            await _send_notice(scope, send, found.notice, signed_in=found.signed_in)
        elif found.session_id is not None:
            with _counted(found.session_id) as is_one_too_many:
                if is_one_too_many:
                    await close(send, CLOSE_TALKATIVE)
                else:
                    await _watch(scope, receive, send, found)
        else:
            await close(send, CLOSE_NOT_SIGNED_IN)


@contextmanager
def _counted(session_id: UUID) -> Iterator[bool]:
    """Count a socket of a session while it is open; yield whether there are too many."""
    _sockets[session_id] += 1
    measures.sockets_changed.send_robust(None, change=1)
    try:
        yield _sockets[session_id] > MOST_SOCKETS
    finally:
        measures.sockets_changed.send_robust(None, change=-1)
        _sockets[session_id] -= 1
        if not _sockets[session_id]:
            del _sockets[session_id]


async def _watch(scope: Scope, receive: Receive, send: Send, found: SessionStatus) -> None:
    assert found.session_id is not None  # noqa: S101
    listener = asyncio.create_task(_listen(receive))
    try:
        async with watching(found.session_id, found.user_pk, scope.get("tenant")) as ended:
            if not ended.done():
                await _send(send, {"type": "session.ready", "session": str(found.session_id)})
            waiting: set[asyncio.Future[Any]] = {listener, ended}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                listener.cancel()
                await asyncio.wait({listener})  # granian closes nothing while one receives
                await _send_notice(scope, send, ended.result(), signed_in=False)
            elif listener.result() == CLOSE_TALKATIVE:
                await close(send, CLOSE_TALKATIVE)
    finally:
        listener.cancel()


async def _listen(receive: Receive) -> int | None:
    """Ignore what the client sends, until it leaves or has sent too much."""
    frames = characters = 0
    while frames <= MOST_FRAMES and characters <= MOST_CHARACTERS:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        frames += 1
        characters += len(message.get("text") or message.get("bytes") or "")
    return CLOSE_TALKATIVE


async def _send_notice(scope: Scope, send: Send, notice: EndNotice, *, signed_in: bool) -> None:
    with in_language_of(scope):
        frame = notice.frame(signed_in=signed_in)
    await _send(send, frame)
    await close(send, CLOSE_ENDED)


async def _send(send: Send, frame: dict[str, Any]) -> None:
    await say(send, {"type": "websocket.send", "text": json.dumps(frame)})


def _page_session(scope: Scope) -> str | None:
    query: dict[str, list[str]] = parse_qs(scope.get("query_string", b"").decode("latin1"))
    return query["session"][0] if "session" in query else None
