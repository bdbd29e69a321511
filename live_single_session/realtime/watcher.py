"""Waits for the end of sessions, for all connections of this process.

One ``Watcher`` for each process and event loop joins the group of each user who has a
connection here, so that a connection costs a future and not a receive loop. The message
of a login is the fast way to learn of an end; the registry is the reliable one. It is asked
whenever a group has been joined (join first, then look: no gap), and about all sessions
every ``RECHECK_SECONDS``. The groups are joined again then, too: channels_redis
forgets members after ``group_expiry``, a restarted Redis forgets them all, and a layer at
capacity drops messages silently.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

from live_single_session.conf import conf
from live_single_session.models import as_uuid
from live_single_session.notices import EndNotice, notice_of, notice_of_unknown
from live_single_session.realtime.push import MESSAGE_TYPE, group_of
from live_single_session.realtime.subscription import Subscription
from live_single_session.registry import db, ending

logger = logging.getLogger("live_single_session")

RETRY_SECONDS = 1.0  # after the registry could not be asked

Ended = asyncio.Future[EndNotice]

_watchers: WeakKeyDictionary[asyncio.AbstractEventLoop, "Watcher"] = WeakKeyDictionary()


@asynccontextmanager
async def watching(session_id: UUID, user_pk: object) -> AsyncIterator[Ended]:
    """Watch a session for as long as the context lasts.

    Entering it looks into the registry: if the session has ended already, the future is
    done.

    Args:
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.

    Yields:
        a future of the notice, which is done when the session has ended.
    """
    watcher = get_watcher()
    waiter = watcher.enter(session_id, group_of(user_pk, db.database()))
    try:
        await waiter.looked()
        yield waiter.ended
    finally:
        watcher.leave(waiter)


def get_watcher() -> "Watcher":
    """Return the watcher of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _watchers:
        _watchers[loop] = Watcher()
    return _watchers[loop]


class Waiter:
    """One connection that waits for the end of its session."""

    __slots__ = ("_first_look", "ended", "group", "session_id")

    def __init__(self, session_id: UUID, group: str) -> None:
        loop = asyncio.get_running_loop()
        self.session_id = session_id
        self.group = group
        self.ended: Ended = loop.create_future()
        # Deleted once it is done: an idle connection must stay cheap.
        self._first_look: asyncio.Future[None] | None = loop.create_future()

    async def looked(self) -> None:
        """Wait until the registry has been asked once, or the session has ended."""
        if self._first_look is not None:
            await self._first_look
            self._first_look = None

    def look_is_done(self) -> None:
        if self._first_look is not None and not self._first_look.done():
            self._first_look.set_result(None)

    def end(self, notice: EndNotice) -> None:
        if not self.ended.done():
            self.ended.set_result(notice)
        self.look_is_done()


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

    def enter(self, session_id: UUID, group: str) -> Waiter:
        """Begin to watch a session for one connection."""
        waiter = Waiter(session_id, group)
        self._waiters.setdefault(session_id, set()).add(waiter)
        self._groups.setdefault(group, set()).add(waiter)
        self._unseen.add(waiter)
        self._changed.set()
        if self._task is None:
            # Not in the context of the first connection: the thread that belongs to a
            # request's context ends with the request.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Stop to watch a session for one connection."""
        waiter.ended.cancel()
        self._unseen.discard(waiter)
        _discard(self._waiters, waiter.session_id, waiter)
        _discard(self._groups, waiter.group, waiter)
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
                self._invalidate_all()
            for group in await self._join():
                self._unseen |= self._groups.get(group, set())
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
        """Ask the registry about the sessions that may have ended without a message."""
        waiters, self._unseen = self._unseen, set()
        if not waiters:
            return
        try:
            ended = await _ended_among({waiter.session_id for waiter in waiters})
        except Exception:
            logger.exception("The registry could not be asked; it is asked again")
            self._unseen |= {waiter for waiter in waiters if not waiter.ended.done()}
            return
        for waiter in waiters:
            if waiter.session_id in ended:
                row = ended[waiter.session_id]
                waiter.end(notice_of(row) if row else notice_of_unknown(waiter.session_id))
            waiter.look_is_done()

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
        self._unseen.update(*self._waiters.values())

    def _deliver(self, message: dict[str, Any]) -> None:
        if message.get("type") != MESSAGE_TYPE:
            return
        try:
            notices = [EndNotice.unpack(packed) for packed in message["ended"]]
        except (KeyError, TypeError, AttributeError):  # from another version of the package
            self._invalidate_all()
            self._changed.set()
            return
        for notice in notices:
            for waiter in self._waiters.get(as_uuid(notice.session), ()):  # type: ignore[arg-type]
                waiter.end(notice)


# Closes unusable connections to the database, as the registry's own async functions don't.
_ended_among = database_sync_to_async(ending.ended_among)


def _discard(index: dict[Any, set[Waiter]], key: object, waiter: Waiter) -> None:
    index[key].discard(waiter)
    if not index[key]:
        del index[key]
