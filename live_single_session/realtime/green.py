"""Sends where green threads share a thread, as gevent's and eventlet's do: from outside of it.

An event loop that runs in one of them is everybody's: Django takes the others for async code,
and fails them. So it has a native thread of its own. Nobody waits for what it sends.
"""

import asyncio
import atexit
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers

from live_single_session.conf import conf

# Each with a connection of its own, ready before it is needed: a layer of channels_redis
# sends one message after the other.
SENDERS = 8
NOBODY = "live-single-session.nobody"  # is in this group

Send = Callable[[Any, str, dict[str, Any]], Awaitable[object]]


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


class Outbox:
    """What is to be sent by the native thread of this process.

    Args:
        send: sends to a group through a layer; it takes a bounded time and doesn't raise.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pid: int | None = None
        self._loop: asyncio.AbstractEventLoop
        self._waiting: asyncio.Queue[tuple[float, str, dict[str, Any]]]
        self._unsent = 0

    def open(self, start: Callable[..., Any]) -> None:
        """Start the thread, unless this process has it."""
        if self._pid == os.getpid():
            return
        self._pid, self._unsent = os.getpid(), 0
        self._loop, self._waiting = asyncio.new_event_loop(), asyncio.Queue()
        for _ in range(SENDERS):
            self._loop.create_task(self._run())
        start(self._loop.run_forever, ())
        atexit.register(self._flush)

    def put(self, group: str, message: dict[str, Any]) -> None:
        """Let a message be sent to a group."""
        self._unsent += 1
        item = time.monotonic(), group, message
        self._loop.call_soon_threadsafe(self._waiting.put_nowait, item)

    async def _run(self) -> None:
        layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        await self._send(layer, NOBODY, {"type": NOBODY})
        while True:
            since, group, message = await self._waiting.get()
            # Later, tabs have found it out by themselves.
            if time.monotonic() - since < conf.RECHECK_SECONDS:
                await self._send(layer, group, message)
            self._unsent -= 1

    def _flush(self) -> None:
        """Let a process that ends, as a command does, send what is left."""
        until = time.monotonic() + conf.PUSH_TIMEOUT_SECONDS
        while self._unsent > 0 and time.monotonic() < until:
            time.sleep(0.01)
