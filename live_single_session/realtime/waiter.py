"""``Waiter``: one connection that waits for the end of its session."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from live_single_session.notices import EndNotice
from live_single_session.realtime.lookup import Place
from live_single_session.realtime.push import group_of
from live_single_session.realtime.recheck import Found
from live_single_session.registry.time_limits import Ahead

FIRST_LOOK_SECONDS = 5.0  # that a connection waits for it
SAME_SECONDS = 1.0  # two ends so close to each other are one

Ended = asyncio.Future[EndNotice]


class Waiter:
    """One connection that waits for the end of its session."""

    __slots__ = (
        "_first_look",
        "_on_ending",
        "_warned_of",
        "ended",
        "group",
        "place",
        "session_id",
        "user_pk",
    )

    def __init__(
        self,
        session_id: UUID,
        user_pk: object,
        place: Place,
        on_ending: Callable[[Ahead | None], None] | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.session_id = session_id
        self.user_pk = user_pk
        self.place = place
        self.group = group_of(user_pk, place.using)
        self.ended: Ended = loop.create_future()
        self._warned_of: float | None = None
        self._on_ending = on_ending
        # Deleted once it is done: an idle connection must stay cheap.
        self._first_look: asyncio.Future[None] | None = loop.create_future()

    async def looked(self) -> None:
        """Wait until the registry was asked, or is too slow, or the session has ended."""
        if self._first_look is not None:
            await asyncio.wait({self._first_look}, timeout=FIRST_LOOK_SECONDS)
            self._first_look = None

    def is_answered(self, found: Found | None, place: Place) -> bool:
        """Tell whether an answer from some place is one about this connection's session."""
        return found is None or not found.is_missing or self.place.is_surely(place)

    def look_is_done(self) -> None:
        if self._first_look is not None and not self._first_look.done():
            self._first_look.set_result(None)

    def end(self, notice: EndNotice) -> None:
        if not self.ended.done():
            self.ended.set_result(notice)
        self.look_is_done()

    def warn(self, ahead: Ahead | None) -> None:
        """Say that the session is about to end in time, or not any more; nothing twice."""
        end = None if ahead is None else asyncio.get_running_loop().time() + ahead.seconds
        if self._on_ending is None or _are_close(end, self._warned_of):
            return
        self._warned_of = end
        self._on_ending(ahead)

    @property
    def is_warned(self) -> bool:
        """Whether it was said that the session is about to end in time."""
        return self._warned_of is not None


def _are_close(end: float | None, other: float | None) -> bool:
    if end is None or other is None:
        return end is other
    return abs(end - other) < SAME_SECONDS
