"""Warns the connections of sessions that are about to end in time.

What counts is what the registry says at each look, by its own clock. A timer here does no more
than to bring on the next look: when it is time to warn, and when it is time to end.
"""

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from live_single_session.conf import conf
from live_single_session.realtime.lookup import Place
from live_single_session.realtime.recheck import soon_in
from live_single_session.realtime.waiter import Waiter
from live_single_session.registry import time_limits
from live_single_session.registry.time_limits import Ahead

LEAST_SECONDS = 1.0  # between two looks at a session whose time is over
LATE_SECONDS = 0.05  # after which a look finds for certain that it is time
# After so many re-checks a session is looked at again in any case: its limits may have changed.
RECHECKS = 10


class Countdown:
    """The timers of the sessions that somebody watches.

    Args:
        look_at: asks the registry about a session.
    """

    def __init__(self, look_at: Callable[[UUID], None]) -> None:
        self._look_at = look_at
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._warned: set[UUID] = set()

    async def update(self, place: Place, waiters: Iterable[Waiter]) -> None:
        """Look when the sessions of some connections end in time, and warn of it.

        A session whose timer runs is left to it, unless its connections are being warned.

        Args:
            place: where they are.
            waiters: the connections.
        """
        if not time_limits.in_force():
            return
        waiters = [w for w in waiters if self._is_due(w.session_id)]
        ids = {waiter.session_id for waiter in waiters}
        horizon = conf.WARN_SECONDS + RECHECKS * conf.RECHECK_SECONDS
        soon = await soon_in(place, ids, horizon) if ids else {}
        for session_id in ids:
            self._set_timer(session_id, soon.get(session_id))
        for waiter in waiters:
            is_warned = waiter.session_id in self._warned
            waiter.warn(soon[waiter.session_id] if is_warned else None)

    def forget(self, session_id: UUID) -> None:
        """Stop the timer of a session that nobody watches any more."""
        self._warned.discard(session_id)
        if timer := self._timers.pop(session_id, None):
            timer.cancel()

    def _is_due(self, session_id: UUID) -> bool:
        return session_id not in self._timers or session_id in self._warned

    def _set_timer(self, session_id: UUID, ahead: Ahead | None) -> None:
        self.forget(session_id)
        seconds = RECHECKS * conf.RECHECK_SECONDS
        if ahead is not None and ahead.seconds > conf.WARN_SECONDS:
            seconds = ahead.seconds - conf.WARN_SECONDS
        elif ahead is not None:
            self._warned.add(session_id)
            seconds = max(ahead.seconds, LEAST_SECONDS)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds + LATE_SECONDS, self._is_time, session_id)
        self._timers[session_id] = timer

    def _is_time(self, session_id: UUID) -> None:
        self._timers.pop(session_id, None)
        self._look_at(session_id)
