"""Keep a record of whose browser is connected, where ``AWAY_SECONDS`` asks for it.

One ``Presence`` for each process and event loop writes for all of its browsers at once: a
statement for those that have come, one for those that are still there, and one for those
that have left. A browser that goes from page to page leaves for a moment only, and one that
goes on in another process is there when all are asked: neither costs a write.
"""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from live_single_session.conf import conf
from live_single_session.models import as_uuid
from live_single_session.realtime import messages
from live_single_session.realtime.lookup import Place, in_place, place_of
from live_single_session.realtime.waiter import Waiter
from live_single_session.realtime.watcher import get_watcher
from live_single_session.registry import presence

logger = logging.getLogger("live_single_session")

GRACE_SECONDS = 10.0  # that a browser may take from one page to the next
ANSWER_SECONDS = 2.0  # that other processes have to say that it is there
RETRY_SECONDS = 1.0  # after the registry could not be written to

ASK = "live_single_session.who_is_there"
HERE = "live_single_session.here"


def present(
    session_id: UUID, user_pk: object, tenant: object
) -> AbstractAsyncContextManager[None]:
    """Count the browser of a session as connected for as long as the context lasts.

    Args:
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.
        tenant: whose it is, where tenants have tables of their own.
    """
    if conf.AWAY_SECONDS is None:
        return nullcontext()
    return _counted(session_id, user_pk, tenant)


@asynccontextmanager
async def _counted(session_id: UUID, user_pk: object, tenant: object) -> AsyncIterator[None]:
    here = of_this_loop()
    here.enter(session_id, user_pk, await place_of(tenant))
    try:
        yield
    finally:
        here.leave(session_id)


_presences: WeakKeyDictionary[asyncio.AbstractEventLoop, "Presence"] = WeakKeyDictionary()


def of_this_loop() -> "Presence":
    """Return the record of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _presences:
        _presences[loop] = Presence()
    return _presences[loop]


class Visit:
    """A browser in this process: connected, or gone a moment ago.

    Attributes:
        waiter: keeps its user's group joined, and knows when the session has ended.
        sockets: how many are open: one, or one for each tab.
        left_at: when the last of them was closed, by the event loop's clock.
        is_recorded: whether it is in the registry that it is here.
        is_elsewhere: whether another process has said that it is there.
    """

    __slots__ = ("is_elsewhere", "is_recorded", "left_at", "sockets", "waiter")

    def __init__(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.sockets = 0
        self.left_at = 0.0
        self.is_recorded = self.is_elsewhere = False


class Presence:
    """Records the browsers of one process and event loop."""

    def __init__(self) -> None:
        self._visits: dict[UUID, Visit] = {}
        self._changed = asyncio.Event()
        self._next_stay = 0.0
        self._task: asyncio.Task[None] | None = None
        self._has_failed = False

    def enter(self, session_id: UUID, user_pk: object, place: Place) -> None:
        """A browser has opened a websocket."""
        if session_id not in self._visits:
            waiter = get_watcher().enter(Waiter(session_id, user_pk, place))
            self._visits[session_id] = Visit(waiter)
        self._visits[session_id].sockets += 1
        presence.connected[session_id] += 1
        self._changed.set()
        if self._task is None:
            self._schedule_stay()
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())

    def leave(self, session_id: UUID) -> None:
        """A browser has closed one."""
        visit = self._visits[session_id]
        visit.sockets -= 1
        visit.left_at = asyncio.get_running_loop().time()
        visit.is_elsewhere = False
        presence.connected[session_id] -= 1
        if presence.connected[session_id] <= 0:
            del presence.connected[session_id]
        self._changed.set()

    def hear(self, message: messages.Message) -> None:
        """Answer another process that asks for a browser, or note such an answer."""
        session_id = as_uuid(message.get("session"))
        visit = None if session_id is None else self._visits.get(session_id)
        if visit is None:
            return
        if message["type"] == HERE:
            visit.is_elsewhere = True
        elif visit.sockets:
            messages.send_soon(visit.waiter.group, {"type": HERE, "session": str(session_id)})

    async def _run(self) -> None:
        try:
            while self._visits:
                self._changed.clear()
                try:
                    await self._record()
                except Exception as error:
                    self._note_failure(error)
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._has_failed = False
                    await self._wait()
        finally:
            self._task = None

    async def _record(self) -> None:
        come = {pk: v for pk, v in self._visits.items() if not v.is_recorded}
        await self._write(come, presence.arrive)
        for visit in come.values():
            visit.is_recorded = True
        if asyncio.get_running_loop().time() >= self._next_stay:
            await self._write(self._visits, presence.stay)
            self._schedule_stay()
        await self._let_go()

    async def _let_go(self) -> None:
        """Record that browsers have left, unless they are to be seen elsewhere."""
        gone = {pk: visit for pk, visit in self._visits.items() if self._is_gone(visit)}
        if not gone:
            return
        asked = {pk for pk, v in gone.items() if not v.waiter.ended.done()}
        heard = await asyncio.gather(*(self._ask(pk, gone[pk]) for pk in asked))
        if any(heard):
            await asyncio.sleep(ANSWER_SECONDS)
        left = dict(zip(asked, heard, strict=True))
        now = asyncio.get_running_loop().time()
        gone = {pk: visit for pk, visit in gone.items() if self._is_gone(visit)}
        for visit_pk, visit in gone.items():
            del self._visits[visit_pk]
            get_watcher().leave(visit.waiter)
        lost = {pk: v for pk, v in gone.items() if left.get(pk) and not v.is_elsewhere}
        seconds = min((now - visit.left_at for visit in lost.values()), default=0.0)
        await self._write(lost, presence.leave, seconds)

    async def _ask(self, session_id: UUID, visit: Visit) -> bool:
        """Ask all processes for a browser; return whether they could be asked."""
        return await messages.send(
            visit.waiter.group, {"type": ASK, "session": str(session_id)}
        )

    def _is_gone(self, visit: Visit) -> bool:
        passed = asyncio.get_running_loop().time() - visit.left_at
        return not visit.sockets and passed >= GRACE_SECONDS

    async def _write(
        self, visits: dict[UUID, Visit], write: Callable[..., int], *args: Any
    ) -> None:
        """Write about browsers to the registry, in each of the places where they are."""
        places: dict[Any, tuple[Place, list[UUID]]] = {}
        for session_id, visit in visits.items():
            place = visit.waiter.place
            places.setdefault(place.key, (place, []))[1].append(session_id)
        for place, session_ids in places.values():
            await in_place(place, write, session_ids, *args)

    def _schedule_stay(self) -> None:
        self._next_stay = asyncio.get_running_loop().time() + presence.period()

    def _note_failure(self, error: Exception) -> None:
        if not self._has_failed:
            logger.error("It could not be recorded who is connected", exc_info=error)
        self._has_failed = True

    async def _wait(self) -> None:
        due = [v.left_at + GRACE_SECONDS for v in self._visits.values() if not v.sockets]
        seconds = min([self._next_stay, *due]) - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds) if self._visits else 0.0):
                await self._changed.wait()


def _hear(message: messages.Message) -> None:
    of_this_loop().hear(message)


messages.receivers[ASK] = messages.receivers[HERE] = _hear
