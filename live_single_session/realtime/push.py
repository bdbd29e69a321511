"""Notifies the tabs of ended sessions through the channel layer, as far as that works.

One message for each user and event, to the user's group. Whatever the layer does, it
delays the login by at most ``PUSH_TIMEOUT_SECONDS`` and never fails it. Tabs that miss the
message learn by the re-check (``live_single_session.realtime.watcher``).
"""

import asyncio
import hashlib
import logging
from contextlib import suppress
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from live_single_session.conf import conf
from live_single_session.models import UserSession
from live_single_session.notices import notice_of
from live_single_session.registry import db
from live_single_session.request_state import current_request, state_of
from live_single_session.signals import session_ended

logger = logging.getLogger("live_single_session")

MESSAGE_TYPE = "live_single_session.ended"

# Keeps the tasks alive: asyncio itself holds only weak references to them.
_sending: set[asyncio.Task[bool]] = set()


def connect() -> None:
    """Listen for ended sessions; called when the app is ready."""
    session_ended.connect(tell_tabs, dispatch_uid="live_single_session.realtime.push")


def group_of(user_pk: object, using: str) -> str:
    """Return the name of a user's group, which is valid for every channel layer.

    Args:
        user_pk: the user's primary key, of any type.
        using: the alias of the database that the registry is in.
    """
    name = f"{settings.AUTH_USER_MODEL.lower()}\n{using}\n{user_pk}"
    return "live-single-session." + hashlib.sha256(name.encode()).hexdigest()[:40]


def tell_tabs(session: UserSession, batch: tuple[UserSession, ...], **kwargs: Any) -> None:
    """Send one message about all the sessions of a user that ended together."""
    layer = get_channel_layer()
    if layer is None or session is not batch[0]:
        return
    group, message = push_message(batch)
    _run(layer, group, message)


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
        _send_and_wait(layer, group, message)
    else:  # synchronous code in the event loop's thread, which must not wait
        _task(layer, group, message)


def _send_and_wait(layer: Any, group: str, message: dict[str, Any]) -> None:
    state = state_of(current_request())

    async def send_and_wait() -> None:
        sending = _task(layer, group, message)
        if state.layer_was_silent:
            return  # wait only once: a login may end sessions of several users
        # A client that disconnects cancels the task of the login, but not this one.
        state.layer_was_silent = not await asyncio.shield(sending)

    with suppress(asyncio.CancelledError):
        async_to_sync(send_and_wait)()


def _task(layer: Any, group: str, message: dict[str, Any]) -> asyncio.Task[bool]:
    task = asyncio.get_running_loop().create_task(send(layer, group, message))
    _sending.add(task)
    task.add_done_callback(_sending.discard)
    return task


async def send(layer: Any, group: str, message: dict[str, Any]) -> bool:
    """Send to a group, for no longer than ``PUSH_TIMEOUT_SECONDS``; never raise.

    Returns:
        False if the layer did not answer in time.
    """
    try:
        async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS) as patience:
            await layer.group_send(group, message)
    except Exception as error:
        reason = type(error).__name__
        logger.warning("The channel layer failed (%s): tabs learn by their re-check", reason)
    return not patience.expired()
