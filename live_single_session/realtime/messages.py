"""What processes tell each other about a user's sessions, beside that they have ended.

It goes to the user's group, and so to each process that has a connection of the user's. A
message that is lost here costs an answer, and nothing that is promised.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from live_single_session.conf import conf
from live_single_session.realtime.layer import find_layer
from live_single_session.realtime.push import MESSAGE_TYPE, silence

Message = dict[str, Any]

# By the type of a message: what it is given to, in the event loop that has received it.
receivers: dict[str, Callable[[Message], None]] = {}

_sending: set[asyncio.Task[None]] = set()
_loops: dict[int, str] = {}


def sender() -> str:
    """Return a name of this process and event loop, to know one's own messages by."""
    loop = id(asyncio.get_running_loop())
    return _loops.setdefault(loop, uuid.uuid4().hex)


def receive(message: Message) -> bool:
    """Hand a message to what it is for; those of later versions are for nothing.

    Returns:
        False if it is about sessions that have ended, and not for here.
    """
    if message.get("type") == MESSAGE_TYPE:
        return False
    receiver = receivers.get(str(message.get("type")))
    if receiver is not None and message.get("sender") != sender():
        receiver(message)
    return True


async def send(group: str, message: Message) -> bool:
    """Send a message to a user's group; never raise, and wait for a bounded time.

    Returns:
        whether all processes have got it, as far as the channel layer knows; True also
        where there is none, and so no other process to tell.
    """
    layer = find_layer()
    if layer is None:
        return True
    if silence.is_remembered():
        return False
    with suppress(Exception):
        async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS):
            await layer.group_send(group, {**message, "sender": sender()})
        return True
    return False


def send_soon(group: str, message: Message) -> None:
    """Send a message without waiting for it."""
    task = asyncio.get_running_loop().create_task(_send(group, message))
    _sending.add(task)
    task.add_done_callback(_sending.discard)


async def _send(group: str, message: Message) -> None:
    await send(group, message)
