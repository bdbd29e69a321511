"""Notifies the tabs of ended sessions through the channel layer, as far as that works.

One message for each user and event, to the user's group. Whatever the layer does, it
costs the login at most ``PUSH_TIMEOUT_SECONDS`` and never fails it, and others not even
that for a while; what is lost here is found by the re-check
(``live_single_session.realtime.watcher``).
"""

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpRequest

from live_single_session.conf import conf
from live_single_session.models import UserSession
from live_single_session.notices import notice_of
from live_single_session.realtime import measures
from live_single_session.realtime.green import Outbox, start_native_thread
from live_single_session.realtime.layer import find_layer
from live_single_session.realtime.layer_hosts import layer_hosts
from live_single_session.registry import db, events, threads
from live_single_session.request_state import RequestState, current_request, state_of
from live_single_session.signals import session_ended, session_started

logger = logging.getLogger("live_single_session")

MESSAGE_TYPE = "live_single_session.ended"

# Keeps the tasks alive: asyncio itself holds only weak references to them.
_sending: set[asyncio.Task[bool]] = set()


def connect() -> None:
    """Listen for ended sessions; called when the app is ready."""
    session_started.connect(get_ready, dispatch_uid="live_single_session.realtime.push")
    session_ended.connect(tell_tabs, dispatch_uid="live_single_session.realtime.push")
    events.prolonged.connect(tell_prolonged, dispatch_uid="live_single_session.realtime.push")


def group_of(user_pk: object, using: str) -> str:
    """Return the name of a user's group, which is valid for every channel layer.

    Args:
        user_pk: the user's primary key, of any type.
        using: the alias of the database that the registry is in.
    """
    name = f"{settings.AUTH_USER_MODEL.lower()}\n{using}\n{user_pk}"
    return "live-single-session." + hashlib.sha256(name.encode()).hexdigest()[:40]


def tell_tabs(session: UserSession, batch: tuple[UserSession, ...], **kwargs: Any) -> None:
    """Send one message about all the sessions of a user that ended batch."""
    if session is batch[0]:
        _send(*push_message(batch))


def tell_prolonged(session: UserSession, **kwargs: Any) -> None:
    """Send a message that a session will not end yet, of whose end its tabs were warned."""
    message = {"type": MESSAGE_TYPE, "version": 1, "ended": [], "prolonged": [str(session.pk)]}
    _send(group_of(session.user_id, db.database()), message)


def _send(group: str, message: dict[str, Any]) -> None:
    layer = find_layer()
    if layer is None:
        return
    if start := start_native_thread():
        outbox.open(start)
        if not outbox.send(group, message, wait=not silence.is_remembered()):
            silence.note()
    else:
        _run(layer, group, message)


def get_ready(**kwargs: Any) -> None:
    """Connect to the layer where that takes a thread: this session will end one day."""
    if (start := start_native_thread()) and find_layer() is not None:
        outbox.open(start)


def push_message(batch: tuple[UserSession, ...]) -> tuple[str, dict[str, Any]]:
    """Return the group of a user, and the message that these sessions have ended."""
    group = group_of(batch[0].user_id, db.database())
    ended = [notice_of(row).pack() for row in batch]
    return group, {"type": MESSAGE_TYPE, "version": 1, "ended": ended}


def _run(layer: Any, group: str, message: dict[str, Any]) -> None:
    """Send from wherever the commit happened: a thread of an ASGI server, WSGI, Celery."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if not _is_handed_over(layer, group, message):
            _send_and_wait(layer, group, message)
    else:  # synchronous code in the event loop's thread, which must not wait
        _task(layer, group, message)


def _is_handed_over(layer: Any, group: str, message: dict[str, Any]) -> bool:
    """Let the event loop send that waits for this thread, or that serves the request."""
    state = state_of(current_request())
    loop, begin = threads.waiting_loop(), cast("Callable[..., object]", _task)
    if loop is None:
        loop, begin = state.loop, partial(_send_beside, state)
    if loop is None:
        return False
    try:
        # Not in the context of the view, for whose thread a layer might wait.
        loop.call_soon_threadsafe(begin, layer, group, message, context=Context())
    except RuntimeError:  # it was closed
        return False
    return True


def _send_beside(state: RequestState, layer: Any, group: str, message: dict[str, Any]) -> None:
    if state.unsent is None:
        state.unsent = deque()
    state.unsent.append((layer, group, message))
    if state.sending is None or state.sending.done():
        state.sending = asyncio.create_task(_send_each(state.unsent))


async def _send_each(unsent: deque[tuple[Any, str, dict[str, Any]]]) -> None:
    """Send one after the other: a layer has few connections. Wait once for a silent one."""
    while unsent:
        sending = _task(*unsent.popleft())
        if not silence.is_remembered():
            await asyncio.wait({sending})


async def sent_by(request: HttpRequest) -> None:
    """Wait until a request has sent all, unless the layer is known to keep silent."""
    sending = state_of(request).sending
    if sending is not None and not silence.is_remembered():
        await asyncio.wait({sending})


def _send_and_wait(layer: Any, group: str, message: dict[str, Any]) -> None:
    # A client that hangs up cancels the login's task, and only that.
    with suppress(asyncio.CancelledError):
        async_to_sync(_send_each)(deque([(layer, group, message)]))


def _task(layer: Any, group: str, message: dict[str, Any]) -> asyncio.Task[bool]:
    task = asyncio.get_running_loop().create_task(send(layer, group, message))
    _sending.add(task)
    task.add_done_callback(_sending.discard)
    return task


async def send(
    layer: Any, group: str, message: dict[str, Any], seconds: float | None = None
) -> bool:
    """Send to a group, for ``PUSH_TIMEOUT_SECONDS`` or so many at most; never raise.

    Returns:
        whether it was sent.
    """
    limit = conf.PUSH_TIMEOUT_SECONDS if seconds is None else seconds
    try:
        async with asyncio.timeout(limit) as patience:
            await layer.group_send(group, message)
    except Exception as error:
        outcome = measures.TIMED_OUT if patience.expired() else measures.FAILED
        logger.warning(
            "The channel layer failed (%s, at %s): tabs learn by their re-check",
            type(error).__name__,
            layer_hosts(),
        )
        if patience.expired():
            silence.note()
    else:
        outcome = measures.SENT
        silence.forget()
    measures.pushed.send_robust(None, outcome=outcome)
    return outcome == measures.SENT


class Silence:
    """Remembers for a while that the layer kept silent: it is waited for once."""

    def __init__(self) -> None:
        self._layer: Any = None
        self._until = 0.0

    def is_remembered(self) -> bool:
        """Tell whether nobody need wait for the layer now."""
        return self._layer is find_layer() and time.monotonic() < self._until

    def note(self) -> None:
        """Remember it; meanwhile tabs learn by their re-check."""
        self._layer = find_layer()
        self._until = time.monotonic() + conf.RECHECK_SECONDS

    def forget(self) -> None:
        """The layer has answered."""
        self._layer = None


silence = Silence()
outbox = Outbox(send)
