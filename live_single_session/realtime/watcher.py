"""Waits for the end of sessions, for all connections of this process.

One ``Watcher`` for each process and event loop joins the group of each user who has a
connection here, so that a connection costs a future and not a receive loop. The message
of a login is the fast way to learn of an end; the registry is the reliable one. It is asked
whenever a group has been joined (join first, then look: no gap), and about all sessions
every ``RECHECK_SECONDS``. Some of the groups are joined again then, too, in turn:
channels_redis forgets members after ``group_expiry``, and an emptied Redis forgets them all.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from live_single_session.conf import conf
from live_single_session.models import as_uuid
from live_single_session.notices import EndNotice
from live_single_session.realtime import measures, messages
from live_single_session.realtime.countdown import Countdown
from live_single_session.realtime.lookup import place_of
from live_single_session.realtime.recheck import ended_in
from live_single_session.realtime.subscription import Subscription
from live_single_session.realtime.waiter import Ended, Waiter
from live_single_session.registry.time_limits import Ahead

logger = logging.getLogger("live_single_session")

RETRY_SECONDS = 1.0  # after the registry could not be asked

_watchers: WeakKeyDictionary[asyncio.AbstractEventLoop, "Watcher"] = WeakKeyDictionary()


class watching:  # noqa: N801 - a context manager, with less to keep than a generator
    """Watch one session for as long as the context lasts.

    Entering takes as long as one look at the registry: a session that has ended already
    is known to have ended. It waits for no registry that can't be asked. The context is a
    future of the notice, which is done when the session has ended.

    Args:
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.
        tenant: whose it is, where that is known and tenants have tables of their own.
        on_ending: called when it is about to end in time, perhaps again; with None when it
            isn't any more.
    """

    __slots__ = ("_on_ending", "_session", "_tenant", "_waiter", "_watcher")

    def __init__(
        self,
        session_id: UUID,
        user_pk: object,
        tenant: object = None,
        on_ending: Callable[[Ahead | None], None] | None = None,
    ) -> None:
        self._session = session_id, user_pk
        self._tenant = tenant
        self._on_ending = on_ending

    async def __aenter__(self) -> Ended:
        self._watcher = get_watcher()
        waiter = Waiter(*self._session, await place_of(self._tenant), self._on_ending)
        self._waiter = self._watcher.enter(waiter)
        try:
            await waiter.looked()
        except BaseException:
            self._watcher.leave(waiter)
            raise
        return waiter.ended

    async def __aexit__(self, *error: object) -> None:
        self._watcher.leave(self._waiter)


def get_watcher() -> "Watcher":
    """Return the watcher of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _watchers:
        _watchers[loop] = Watcher()
    return _watchers[loop]


class Watcher:
    """Watches the sessions of all connections of one process and event loop."""

    def __init__(self) -> None:
        self._waiters: dict[UUID, set[Waiter]] = {}
        self._groups: dict[str, set[Waiter]] = {}
        self._unseen: set[Waiter] = set()
        self._next_check = 0.0
        self._changed = asyncio.Event()
        self._subscription = Subscription(deliver=self._deliver, lost=self._changed.set)
        self._task: asyncio.Task[None] | None = None
        self._is_registry_away = False
        self._is_recheck = False
        self._countdown = Countdown(look_at=self.look_at)

    def look_at(self, session_id: UUID) -> None:
        """Ask the registry about one session now."""
        self._unseen.update(self._waiters.get(session_id, ()))
        self._changed.set()

    def is_warned(self, session_id: UUID) -> bool:
        """Tell whether connections know that a session is about to end in time."""
        return any(waiter.is_warned for waiter in self._waiters.get(session_id, ()))

    def enter(self, waiter: Waiter) -> Waiter:
        """Begin to watch a session for one connection."""
        self._waiters.setdefault(waiter.session_id, set()).add(waiter)
        self._groups.setdefault(waiter.group, set()).add(waiter)
        self._unseen.add(waiter)
        self._changed.set()
        if self._task is None:
            # Not in the context of the first connection: the thread that belongs to a
            # request's context ends with the request.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Watch no longer for this connection."""
        waiter.ended.cancel()
        self._unseen.discard(waiter)
        _discard(self._waiters, waiter.session_id, waiter)
        _discard(self._groups, waiter.group, waiter)
        if waiter.session_id not in self._waiters:
            self._countdown.forget(waiter.session_id)
        self._changed.set()

    async def _run(self) -> None:
        """Watch as long as there are connections."""
        try:
            while self._waiters:
                await self._watch()
                await self._subscription.close()
        finally:
            self._task = None

    async def _watch(self) -> None:
        self._schedule_check()
        while self._waiters:
            self._changed.clear()
            if self._is_check_due():
                self._schedule_check()
                self._subscription.invalidate_some()
                self._look_at_all()
            for group in await self._join():
                self._unseen.update(self._groups.get(group, ()))
            await self._look()
            await self._wait()

    def _schedule_check(self) -> None:
        self._next_check = asyncio.get_running_loop().time() + conf.RECHECK_SECONDS

    def _is_check_due(self) -> bool:
        return asyncio.get_running_loop().time() >= self._next_check

    async def _join(self) -> set[str]:
        """Join the groups; go on asking the registry while a slow layer is waited for."""
        joining = asyncio.create_task(self._subscription.update(self._groups))
        try:
            while not (await asyncio.wait({joining}, timeout=conf.PUSH_TIMEOUT_SECONDS))[0]:
                if self._is_check_due():
                    self._schedule_check()
                    self._look_at_all()
                await self._look()
            return joining.result()
        finally:
            joining.cancel()

    async def _look(self) -> None:
        """Ask the registry about the sessions that may have ended unheard."""
        waiters, self._unseen = list(self._unseen), set()
        ask_engine, self._is_recheck = self._is_recheck, False
        while waiters:
            place = waiters[0].place
            here = [waiter for waiter in waiters if waiter.place.key == place.key]
            try:
                users = {w.session_id: w.user_pk for w in here}
                ended = await ended_in(place, users, ask_engine=ask_engine)
                going_on = [w for w in here if w.session_id not in ended]
                await self._countdown.update(place, going_on)
            except Exception as error:
                self._note_failure(error)
                measures.rechecked.send_robust(None, outcome=measures.FAILED)
                self._unseen |= {waiter for waiter in here if not waiter.ended.done()}
                looked_at = here
            else:
                self._is_registry_away = False
                measures.rechecked.send_robust(None, outcome=measures.DONE)
                looked_at = [w for w in here if w.is_answered(ended.get(w.session_id), place)]
                for waiter in looked_at:
                    if waiter.session_id in ended:
                        waiter.end(ended[waiter.session_id].notice)
            for waiter in looked_at:
                waiter.look_is_done()
            waiters = list(set(waiters) - set(looked_at))

    def _note_failure(self, error: Exception) -> None:
        if not self._is_registry_away:
            logger.error("The registry can't be asked; it is asked again", exc_info=error)
        self._is_registry_away = True

    async def _wait(self) -> None:
        seconds = self._next_check - asyncio.get_running_loop().time()
        if self._unseen:
            seconds = min(seconds, RETRY_SECONDS)
        retry = self._subscription.seconds_to_retry()
        if retry is not None:
            seconds = min(seconds, retry)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._changed.wait()

    def _invalidate_all(self) -> None:
        self._subscription.invalidate()
        self._look_at_all()

    def _look_at_all(self) -> None:
        self._is_recheck = True
        self._unseen.update(*self._waiters.values())

    def _deliver(self, message: dict[str, Any]) -> None:
        if messages.receive(message):
            return
        try:
            notices = [EndNotice.unpack(packed) for packed in message["ended"]]
            prolonged = [as_uuid(each) for each in message.get("prolonged", ())]
        except (KeyError, TypeError, AttributeError):  # from another version of the package
            self._invalidate_all()
            self._changed.set()
            return
        for notice in notices:
            for waiter in self._waiters.get(as_uuid(notice.session), ()):  # type: ignore[arg-type]
                waiter.end(notice)
        for session_id in prolonged:
            self.look_at(session_id)  # type: ignore[arg-type]


def _discard(index: dict[Any, set[Waiter]], key: object, waiter: Waiter) -> None:
    index[key].discard(waiter)
    if not index[key]:
        del index[key]
