"""Receives the messages of many groups by one channel, through failures of the layer.

Channels' own consumers fail when Redis goes away, and new ones are refused meanwhile.
Here nothing raises and nothing waits for long: a group that can't be joined now is joined
later.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from itertools import islice
from math import ceil
from typing import Any

from live_single_session.conf import conf
from live_single_session.realtime.layer import NOBODY, find_layer
from live_single_session.realtime.layer_hosts import layer_hosts

logger = logging.getLogger("live_single_session")

AT_ONCE = 10  # groups joined at the same time: each takes a connection to Redis
FIRST_PAUSE = 0.1  # seconds between attempts, once the layer has failed
LONGEST_PAUSE = 5.0  # seconds
REJOINED_IN = 10  # re-checks, after which all groups have been joined again
CANCELLATIONS = 3  # of a receiver: a layer may lose one, and needs time to clean up after one


class Subscription:
    """Receives what is sent to some groups, whenever the layer works.

    Args:
        deliver: called with each message.
        lost: called when messages may have been lost, and groups have to be joined again.
    """

    def __init__(
        self, deliver: Callable[[dict[str, Any]], None], lost: Callable[[], None]
    ) -> None:
        self._deliver = deliver
        self._lost = lost
        self._layer: Any = None
        self._channel: str | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._receiving = object()  # of the receiver that is not to stop
        self._joined: dict[str, None] = {}  # those that were joined longest ago come first
        self._stale: set[str] = set()
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0

    async def update(self, wanted: Collection[str]) -> set[str]:
        """Join the wanted groups and leave the others, as far as the layer works.

        Returns:
            the groups that this call has joined; earlier messages to them may be lost.
        """
        if asyncio.get_running_loop().time() < self._retry_at:
            return set()
        joined: set[str] = set()
        try:
            await self._open()
            await self._each(self._leave, (self._joined.keys() | self._stale) - set(wanted))
            missing = set(wanted) - self._joined.keys()
            await self._each(self._join, missing, joined)
            await self._recover()
        except Exception as error:
            self._fail(error)
        return joined

    def invalidate(self) -> None:
        """Join all groups again at the next update: the layer may have forgotten them."""
        self._stale.update(self._joined)
        self._joined.clear()

    def invalidate_some(self) -> None:
        """Join a part of the groups again, those that were joined longest ago."""
        for group in list(islice(self._joined, ceil(len(self._joined) / REJOINED_IN))):
            self._stale.add(group)
            del self._joined[group]

    def seconds_to_retry(self) -> float | None:
        """Return when a failed update is due again; None if the last one succeeded."""
        if not self._retry_at:
            return None
        return max(0.0, self._retry_at - asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Leave all groups and stop receiving."""
        self._retry_at = 0.0
        if self._channel is not None:
            await self.update(())
        await self._stop_receiving()
        self._channel = None

    async def _open(self) -> None:
        if self._channel is None:
            self._layer = find_layer()
            if self._layer is None:
                return
            async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS):
                self._channel = await self._layer.new_channel()
        if self._receiver is None or self._receiver.done():  # its layer may have cancelled it
            self._receiving = object()
            self._receiver = asyncio.create_task(self._receive(self._receiving))

    async def _each(
        self,
        change: Callable[[str], Coroutine[Any, Any, None]],
        groups: Collection[str],
        done: set[str] | None = None,
    ) -> None:
        if self._layer is None:
            return
        ordered = list(groups)
        for first in range(0, len(ordered), AT_ONCE):
            batch = ordered[first : first + AT_ONCE]
            async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
                for group in batch:
                    tasks.create_task(change(group))
            if done is not None:
                done.update(batch)

    async def _join(self, group: str) -> None:
        if group in self._stale:
            # The pub/sub layer would take itself for subscribed, and do nothing.
            await self._layer.group_discard(group, self._channel)
        self._stale.add(group)  # until it is joined for certain
        await self._layer.group_add(group, self._channel)
        self._stale.discard(group)
        self._joined[group] = None

    async def _leave(self, group: str) -> None:
        self._joined.pop(group, None)
        self._stale.add(group)  # until it is left for certain
        await self._layer.group_discard(group, self._channel)
        self._stale.discard(group)

    async def _receive(self, me: object) -> None:
        channel = self._channel
        while self._receiving is me:
            try:
                self._deliver(await self._layer.receive(channel))
                self._pause = FIRST_PAUSE
            except Exception as error:
                if "Timeout" not in type(error).__name__:  # an idle socket times out, too
                    self._note(error)
                    self._lost()
                await asyncio.sleep(self._pause)

    async def _stop_receiving(self) -> None:
        receiver, self._receiver, self._receiving = self._receiver, None, object()
        # A cancellation that meets an answer of Redis is now and then lost in its client,
        # which goes on to wait for the next message.
        for _ in range(CANCELLATIONS):
            if receiver is None or receiver.done():
                return
            receiver.cancel()
            await asyncio.wait({receiver}, timeout=conf.PUSH_TIMEOUT_SECONDS / CANCELLATIONS)

    def _fail(self, error: Exception) -> None:
        self._note(error)
        self._retry_at = asyncio.get_running_loop().time() + self._pause

    async def _recover(self) -> None:
        if not self._retry_at:
            return
        if self._layer is not None:
            # Where the pub/sub layer takes itself for subscribed, joining asks nobody.
            async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS):
                await self._layer.group_send(NOBODY, {"type": NOBODY})
        logger.info("The channel layer works again (at %s)", layer_hosts())
        self._pause, self._retry_at = FIRST_PAUSE, 0.0
        # The receiver may wait on a dead connection. It isn't stopped while the layer is down:
        # the pub/sub layer unsubscribes a receiver that stops, and logs that this failed.
        await self._stop_receiving()
        await self._open()

    def _note(self, error: Exception) -> None:
        """Log a failure, have all groups joined again, and wait longer before the next try."""
        if not self._retry_at:
            cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            logger.warning(
                "The channel layer failed (%s, at %s); it is tried again",
                type(cause).__name__,
                layer_hosts(),
            )
        self.invalidate()
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
