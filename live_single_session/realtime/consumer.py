"""The package's own websocket: says which session it watches, and when that ends."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.consumer import AsyncConsumer

from live_single_session.notices import EndNotice, ending_frame, in_language_of
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
from live_single_session.realtime.lookup import find_status, look_up
from live_single_session.realtime.peers import Peer
from live_single_session.realtime.presence import present
from live_single_session.realtime.sharing import asked
from live_single_session.realtime.waiter import Ended
from live_single_session.realtime.watcher import get_watcher, watching
from live_single_session.registry import time_limits, uses
from live_single_session.registry.time_limits import Ahead
from live_single_session.session_status import SessionStatus

# How much a client, which has nothing to send, may send before it is disconnected.
MOST_FRAMES = 16
MOST_CHARACTERS = 4096
ACTIVE_SECONDS = 5.0  # between two frames of use that count as one each; scripts take ten
# For each session in this process. A browser needs one, or one for each tab.
MOST_SOCKETS = 100

_sockets: Counter[UUID] = Counter()


class SingleSessionConsumer(AsyncConsumer):  # type: ignore[misc]
    """Serves the protocol of ``session.ready``, ``session.ending`` and ``session.ended``.

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
                    async with (
                        present(found.session_id, found.user_pk, scope.get("tenant")),
                        asked(scope, send, found.session_id, found.user_pk) as peer,
                    ):
                        await _watch(scope, receive, send, found, peer)
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


async def _watch(
    scope: Scope, receive: Receive, send: Send, found: SessionStatus, peer: Peer | None
) -> None:
    session_id: Any = found.session_id
    warnings: asyncio.Queue[Ahead | None] | None = None
    if time_limits.in_force():
        warnings = asyncio.Queue()
    on_ending = None if warnings is None else warnings.put_nowait
    code = None
    async with watching(session_id, found.user_pk, scope.get("tenant"), on_ending) as ended:
        if not ended.done():
            await _send(send, {"type": "session.ready", "session": str(session_id)})
            if peer is not None:
                await peer.check()
            is_warned: AbstractAsyncContextManager[None] = nullcontext()
            if warnings is not None:
                is_warned = _warning(scope, send, session_id, warnings)
            async with is_warned:
                code = await _until(ended, _listen(scope, receive, session_id, peer))
        if ended.done():
            await _send_notice(scope, send, ended.result(), signed_in=False)
        elif code is not None:
            await close(send, code)


async def _until(ended: Ended, listening: Coroutine[Any, Any, int | None]) -> int | None:
    """Listen until the session ends, without a task: an idle connection must stay cheap."""
    loop = asyncio.get_running_loop()
    patience = asyncio.timeout(None)

    def session_has_ended(_: Ended) -> None:
        with suppress(RuntimeError):  # it is no longer listened to
            patience.reschedule(loop.time())

    try:
        async with patience:  # granian closes nothing while one receives
            ended.add_done_callback(session_has_ended)
            return await listening
    except TimeoutError:
        if not patience.expired():
            raise
        return None
    finally:
        ended.remove_done_callback(session_has_ended)


@asynccontextmanager
async def _warning(
    scope: Scope, send: Send, session_id: UUID, warnings: "asyncio.Queue[Ahead | None]"
) -> AsyncIterator[None]:
    task = asyncio.create_task(_warn(scope, send, session_id, warnings))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _warn(
    scope: Scope, send: Send, session_id: UUID, warnings: "asyncio.Queue[Ahead | None]"
) -> None:
    """Say when the session is about to end in time, and when it isn't any more."""
    while True:
        ahead = await warnings.get()
        reason, seconds = (None, None) if ahead is None else (ahead.reason, ahead.seconds)
        with in_language_of(scope):
            frame = ending_frame(session_id, reason, seconds)
        await _send(send, frame)


async def _listen(
    scope: Scope, receive: Receive, session_id: UUID, peer: Peer | None
) -> int | None:
    """Note the use of a session; ignore what else its client sends, until it is too much."""
    loop = asyncio.get_running_loop()
    frames = characters = 0
    used_at = -ACTIVE_SECONDS
    while frames <= MOST_FRAMES and characters <= MOST_CHARACTERS:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text") or message.get("bytes") or ""
        if peer is not None and peer.hears(text):
            continue
        is_rare = loop.time() - used_at >= ACTIVE_SECONDS
        if is_active := _is_active(text):
            used_at = loop.time()
            await _note_use(scope, session_id)
        if not (is_active and is_rare):
            frames += 1
            characters += len(text)
    return CLOSE_TALKATIVE


def _is_active(text: str | bytes) -> bool:
    """Tell whether a frame says that somebody uses an open page."""
    if len(text) > MOST_CHARACTERS:
        return False
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(frame, dict) and frame.get("type") == "session.active"


async def _note_use(scope: Scope, session_id: UUID) -> None:
    watcher = get_watcher()
    is_warned = watcher.is_warned(session_id)
    if is_warned or uses.is_due(session_id):
        await look_up(scope, uses.record, session_id)
    if is_warned:
        watcher.look_at(session_id)  # at once, also without a channel layer


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
