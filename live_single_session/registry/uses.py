"""The use of sessions: recorded rarely, and what it changes about their end.

It is written at most once for each session in ``ACTIVITY_SECONDS``, for all processes together.
Each process remembers when it was recorded and when the session ends, so that the requests in
between cost neither a query nor a thread. It remembers how long that is from now, by a clock
that nobody sets: what counts are times of the database.
"""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from threading import Lock
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Q
from django.http import HttpRequest

from live_single_session.conf import conf
from live_single_session.models import EndReason, UserSessionQuerySet, as_uuid
from live_single_session.registry import db, events, limits, statements, time_limits

logger = logging.getLogger("live_single_session")

REMEMBERED = 10_000
# By so much the clocks of a process and of the database may differ in how fast they are.
MARGIN_SECONDS = 1.0
# Where no use is recorded: between two looks whether a session has got a limit.
LOOK_SECONDS = 3600.0


@dataclass(frozen=True)
class Known:
    """What this process knows of a session, by its own clock.

    Attributes:
        recorded: when its use was last recorded.
        ends: until when it is within its limits in time for certain.
    """

    recorded: float
    ends: float = -inf


class Memory:
    """What this process knows of the sessions that it has looked at last, up to a number.

    Args:
        size: that number. A session beyond it costs a query that finds nothing to do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._lock = Lock()

    def is_due(self, session_id: UUID, seconds: float) -> bool:
        """Tell whether the use of a session was not recorded in so many seconds."""
        known = self._known.get(session_id)
        return known is None or time.monotonic() - known.recorded >= seconds

    def is_in_time(self, session_id: UUID | None) -> bool:
        """Tell whether a session is within its limits in time for certain."""
        known = self._known.get(session_id)  # type: ignore[arg-type]
        return known is not None and time.monotonic() < known.ends

    def note(self, session_id: UUID) -> None:
        """Remember that the use of a session is being recorded now."""
        known = self._known.get(session_id, Known(0.0))
        self.keep(session_id, replace(known, recorded=time.monotonic()))

    def keep(self, session_id: UUID, known: Known) -> None:
        """Remember what is known of a session."""
        with self._lock:
            self._known[session_id] = known
            self._known.move_to_end(session_id)
            if len(self._known) > self._size:
                self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()

    def __len__(self) -> int:
        return len(self._known)


memory = Memory(REMEMBERED)


def interval() -> float | None:
    """Return how many seconds apart a session is looked at; None: never."""
    if conf.ACTIVITY_SECONDS is not None:
        return conf.ACTIVITY_SECONDS
    return None if conf.LIFETIME_SECONDS is None else LOOK_SECONDS


def is_due(session_id: UUID) -> bool:
    """Tell whether it is time to record the use of a session; without I/O."""
    seconds = interval()
    return seconds is not None and memory.is_due(session_id, seconds)


def is_in_time(session_id: object) -> bool:
    """Tell whether a session is within its limits in time for certain; without I/O."""
    return not time_limits.in_force() or memory.is_in_time(as_uuid(session_id))


def look(rows: UserSessionQuerySet) -> Any:
    """Return the one row that matches, if there is one, and remember what it says.

    It has the database's time as its ``registry_now``.
    """
    asked_at = time.monotonic()
    row = rows.annotate(registry_now=db.Now()).first()
    if row is not None:
        _remember(row, asked_at)
    return row


def record(session_id: UUID, request: HttpRequest | None = None) -> bool:
    """Record that a session is in use, without a lock: this ends nobody.

    A session whose time is over stays so.

    Args:
        session_id: which one.
        request: the request that uses it, if there is one.

    Returns:
        whether there was something to record, and it was; what goes wrong is logged.
    """
    memory.note(session_id)  # first, so that concurrent requests don't record it, too
    try:
        if time_limits.in_force():
            return _prolong_at_once(session_id) or _prolong(session_id, request)
        return _touch(session_id, conf.ACTIVITY_SECONDS or LOOK_SECONDS)
    except Exception:
        logger.exception("The use of session %s could not be recorded", session_id)
        return False


def _touch(session_id: UUID, seconds: float) -> bool:
    """Record the use of a session that has no limits in time, if no record is newer."""
    stale = Q(last_seen_at__isnull=True) | Q(
        last_seen_at__lt=db.Now() - timedelta(seconds=seconds)
    )
    return db.rows().live().filter(stale, pk=session_id).update(last_seen_at=db.Now()) == 1


def _prolong_at_once(session_id: UUID) -> bool:
    """Record the use of a session in the one query that mostly is enough, on PostgreSQL."""
    idle, lifetime, activity = conf.IDLE_SECONDS, conf.LIFETIME_SECONDS, conf.ACTIVITY_SECONDS
    if connections[db.database()].vendor != "postgresql" or activity is None:
        return False
    if idle is None or callable(idle) or callable(lifetime):
        return False
    asked_at = time.monotonic()
    seconds = statements.prolong(
        session_id, idle + activity, lifetime, activity, conf.WARN_SECONDS
    )
    if seconds is None:
        return False
    memory.keep(session_id, Known(asked_at, asked_at + seconds - MARGIN_SECONDS))
    return True


def _prolong(session_id: UUID, request: HttpRequest | None) -> bool:
    """Record the use of a session, and the end in time that follows from it."""
    asked_at = time.monotonic()
    live = db.rows().live().filter(time_limits.within(), pk=session_id)
    row: Any = look(live.select_related("user"))
    if row is None:
        return False
    before = row.ends_at
    changes = _changes(row, request)
    # The first of several requests is the one that writes.
    if not changes or not live.filter(last_seen_at=row.last_seen_at).update(**changes):
        return False
    for name, value in changes.items():
        setattr(row, name, value)
    _remember(row, asked_at)
    if before is not None and before - row.registry_now <= _warning():
        events.send_prolonged(row)
    return True


def _changes(row: Any, request: HttpRequest | None) -> dict[str, Any]:
    """Return what the use of a session changes about its row."""
    changes: dict[str, Any] = {}
    used_at = row.last_seen_at or row.started_at
    if _is_stale(row):
        changes["last_seen_at"] = used_at = row.registry_now
    end = limits.time_limits_for(row.user, request).end_of(row.started_at, used_at)
    if end != (row.ends_at, row.ends_by):
        changes["ends_at"], changes["ends_by"] = end
    return changes


def _is_stale(row: Any) -> bool:
    """Tell whether the last recorded use of a session is too long ago."""
    if conf.ACTIVITY_SECONDS is None:
        return False
    if row.last_seen_at is None:
        return True
    if row.registry_now - row.last_seen_at >= timedelta(seconds=conf.ACTIVITY_SECONDS):
        return True
    # Its tabs have been warned, or will be in a moment.
    is_idle = row.ends_by == EndReason.IDLE
    return is_idle and bool(row.ends_at - row.registry_now <= _warning())


def _warning() -> timedelta:
    return timedelta(seconds=conf.WARN_SECONDS)


def _remember(row: Any, asked_at: float) -> None:
    """Remember what a row says, in seconds from when it was asked for."""

    def since(moment: datetime) -> float:
        return asked_at + float((moment - row.registry_now).total_seconds())

    recorded = since(row.last_seen_at) if row.last_seen_at else -inf
    if conf.ACTIVITY_SECONDS is None:
        recorded = asked_at
    has_end = row.ends_at is not None and row.ends_by in time_limits.in_force()
    ends = since(row.ends_at) - MARGIN_SECONDS if has_end else inf
    memory.keep(row.pk, Known(recorded, ends))
