"""Waits for the end of sessions, on behalf of everybody who is connected to this process.

One ``Watch`` for each process and event loop joins the group of each user who has a
connection here, so that a connection costs a future and not a receive loop. The message
of a login is the fast way to learn of an end; the registry is the sure one. It is asked
whenever a group has been joined (join first, then look: no gap), and about all sessions
at once every ``RECHECK_SECONDS``, when the groups are joined again too: channels_redis
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

from live_single_session import registry
from live_single_session.conf import conf
from live_single_session.farewell import Farewell, farewell_to, missing
from live_single_session.models import as_uuid
from live_single_session.push import MESSAGE_TYPE, group_of
from live_single_session.subscription import Subscription

logger = logging.getLogger("live_single_session")

RETRY_SECONDS = 1.0  # after the registry could not be asked

Ended = asyncio.Future[Farewell]

_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, "Watch"] = WeakKeyDictionary()


@asynccontextmanager
async def watching(session_id: UUID, user_pk: object) -> AsyncIterator[Ended]:
    """Watch one session for as long as the context lasts.

    Entering takes as long as one look at the registry: a session that has ended already
    is known to have ended.

    Args:
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.

    Yields:
        a future of what to tell when the session has ended.
    """
    watch = get_watch()
    entry = watch.enter(session_id, group_of(user_pk, registry.database()))
    try:
        await entry.looked()
        yield entry.ended
    finally:
        watch.leave(entry)


def get_watch() -> "Watch":
    """Return the watch of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = Watch()
    return _watches[loop]


class Entry:
    """One connection that wants to know of the end of its session."""

    __slots__ = ("_first_look", "ended", "group", "session_id")

    def __init__(self, session_id: UUID, group: str) -> None:
        loop = asyncio.get_running_loop()
        self.session_id = session_id
        self.group = group
        self.ended: Ended = loop.create_future()
        # Gone once it has been waited for: an idle connection is to cost little.
        self._first_look: asyncio.Future[None] | None = loop.create_future()

    async def looked(self) -> None:
        """Wait until the registry has been looked at, or the session is known to have ended."""
        if self._first_look is not None:
            await self._first_look
            self._first_look = None

    def look_is_done(self) -> None:
        if self._first_look is not None and not self._first_look.done():
            self._first_look.set_result(None)

    def end(self, farewell: Farewell) -> None:
        if not self.ended.done():
            self.ended.set_result(farewell)
        self.look_is_done()


class Watch:
    """All the connections of one process and event loop, and what they wait for."""

    def __init__(self) -> None:
        self._entries: dict[UUID, set[Entry]] = {}
        self._groups: dict[str, set[Entry]] = {}
        self._unseen: set[Entry] = set()
        self._next_check = 0.0
        self._changed = asyncio.Event()
        self._subscription = Subscription(deliver=self._deliver, lost=self._changed.set)
        self._keeper: asyncio.Task[None] | None = None

    def enter(self, session_id: UUID, group: str) -> Entry:
        """Begin to watch a session for one connection."""
        entry = Entry(session_id, group)
        self._entries.setdefault(session_id, set()).add(entry)
        self._groups.setdefault(group, set()).add(entry)
        self._unseen.add(entry)
        self._changed.set()
        if self._keeper is None:
            # Not in the context of the connection that happens to come first: the thread
            # that a request's context stands for ends with the request.
            self._keeper = asyncio.create_task(self._keep(), context=contextvars.Context())
        return entry

    def leave(self, entry: Entry) -> None:
        """Watch no longer for this connection."""
        entry.ended.cancel()
        self._unseen.discard(entry)
        _discard(self._entries, entry.session_id, entry)
        _discard(self._groups, entry.group, entry)
        self._changed.set()

    async def _keep(self) -> None:
        """Keep groups and registry in view while there is anybody to watch for."""
        try:
            while self._entries:
                await self._keep_watch()
                await self._subscription.close()
        finally:
            self._keeper = None

    async def _keep_watch(self) -> None:
        self._schedule_check()
        while self._entries:
            self._changed.clear()
            if self._is_check_due():
                self._schedule_check()
                self._doubt_everything()
            for group in await self._join():
                self._unseen |= self._groups.get(group, set())
            await self._look()
            await self._wait()

    def _schedule_check(self) -> None:
        self._next_check = asyncio.get_running_loop().time() + conf.RECHECK_SECONDS

    def _is_check_due(self) -> bool:
        return asyncio.get_running_loop().time() >= self._next_check

    async def _join(self) -> set[str]:
        """Join the groups; while a slow layer takes its time, go on looking."""
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
        entries, self._unseen = self._unseen, set()
        if not entries:
            return
        try:
            ended = await _ended_among({entry.session_id for entry in entries})
        except Exception:
            logger.exception("The registry could not be asked; it is asked again")
            self._unseen |= {entry for entry in entries if not entry.ended.done()}
            return
        for entry in entries:
            if entry.session_id in ended:
                row = ended[entry.session_id]
                entry.end(farewell_to(row) if row else missing(entry.session_id))
            entry.look_is_done()

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

    def _doubt_everything(self) -> None:
        self._subscription.doubt()
        self._look_at_all()

    def _look_at_all(self) -> None:
        self._unseen.update(*self._entries.values())

    def _deliver(self, message: dict[str, Any]) -> None:
        if message.get("type") != MESSAGE_TYPE:
            return
        try:
            farewells = [Farewell.unpack(packed) for packed in message["ended"]]
        except (KeyError, TypeError, AttributeError):  # from another version of the package
            self._doubt_everything()
            self._changed.set()
            return
        for farewell in farewells:
            for entry in self._entries.get(as_uuid(farewell.session), ()):  # type: ignore[arg-type]
                entry.end(farewell)


# Closes connections to the database that have become unusable, unlike the registry's own.
_ended_among = database_sync_to_async(registry.ended_among)


def _discard(index: dict[Any, set[Entry]], key: object, entry: Entry) -> None:
    index[key].discard(entry)
    if not index[key]:
        del index[key]
