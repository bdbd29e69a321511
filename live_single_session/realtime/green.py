"""Sends where green threads share a thread, as gevent's and eventlet's do: from outside of it.

An event loop that runs in one of them is everybody's: Django takes the others for async code,
and fails them. So it has a native thread of its own.
"""

import asyncio
import atexit
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from live_single_session.conf import conf
from live_single_session.realtime.layer import NOBODY, make_layer

# Each with a connection of its own, ready before it is needed: a layer of channels_redis
# sends one message after the other.
SENDERS = 8
POLL_SECONDS = 0.01
RETRY_SECONDS = 1.0
CONNECT_SECONDS = 10.0  # nobody waits for that
MOST_UNSENT = 1000  # messages, while the layer is away

Send = Callable[[Any, str, dict[str, Any], float], Awaitable[bool]]


def start_native_thread() -> Callable[..., Any] | None:
    """Return what starts a native thread where green threads are in its place; else None."""
    start: Callable[..., Any] | None = None
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("threading"):
        start = gevent.get_original("_thread", "start_new_thread")
    elif eventlet is not None and eventlet.is_monkey_patched("thread"):
        start = eventlet.original("_thread").start_new_thread
    return start


@dataclass(frozen=True, eq=False)
class Item:
    """A message that waits to be sent to a group."""

    group: str
    message: dict[str, Any]
    since: float = field(default_factory=time.monotonic)


class Outbox:
    """What is to be sent by the native thread of this process.

    Args:
        send: sends to a group through a layer, in so many seconds at most; it doesn't raise,
            but tells whether it has sent.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pid: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Queue[Item]
        self._unsent: set[Item] = set()

    def open(self, start: Callable[..., Any]) -> None:
        """Start the thread, unless this process has it."""
        if self._pid == os.getpid():
            return
        self._pid, self._unsent, self._loop = os.getpid(), set(), None
        start(self._serve, ())
        self._wait_until(lambda: self._loop is not None)
        atexit.register(self._flush)

    def _serve(self) -> None:
        # Made here: gevent's selector belongs to the thread that makes it.
        loop, self._waiting = asyncio.new_event_loop(), asyncio.Queue()
        for _ in range(SENDERS):
            loop.create_task(self._run())
        self._loop = loop
        loop.run_forever()

    def send(self, group: str, message: dict[str, Any], *, wait: bool) -> bool:
        """Send a message to a group.

        Args:
            group: which one.
            message: what.
            wait: whether to wait until it is sent, for ``PUSH_TIMEOUT_SECONDS`` at most.

        Returns:
            False if that was waited for in vain.
        """
        if self._loop is None or len(self._unsent) >= MOST_UNSENT:
            return True
        item = Item(group, message)
        self._unsent.add(item)
        self._loop.call_soon_threadsafe(self._waiting.put_nowait, item)
        return not wait or self._wait_until(lambda: item not in self._unsent)

    async def _run(self) -> None:
        layer, is_connected = make_layer(), False
        while True:
            while not is_connected:
                is_connected = await self._send(
                    layer, NOBODY, {"type": NOBODY}, CONNECT_SECONDS
                )
                await asyncio.sleep(0 if is_connected else RETRY_SECONDS)
            item = await self._waiting.get()
            # Later, tabs have found it out by themselves.
            if time.monotonic() - item.since < conf.RECHECK_SECONDS:
                seconds = conf.PUSH_TIMEOUT_SECONDS
                is_connected = await self._send(layer, item.group, item.message, seconds)
            self._unsent.discard(item)

    def _flush(self) -> None:
        """Let a process that ends, as a command does, send what is left."""
        self._wait_until(lambda: not self._unsent)

    def _wait_until(self, is_done: Callable[[], bool]) -> bool:
        """Wait as a green thread does: what native threads wait by would stop them all."""
        until = time.monotonic() + conf.PUSH_TIMEOUT_SECONDS
        while not is_done() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return is_done()
