"""Choose the sessions that are over the limit: pure functions without I/O."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from django.http import HttpRequest

from live_single_session.devices import class_of

# What a login over the limit does: the values of ``ON_LIMIT``.
END_OLDEST = "end_oldest"
REFUSE = "refuse"
ASK = "ask"
OBSERVE = "observe"

# What happens to a session that two browsers use at once: the values of ``ON_SHARED``.
IGNORE = "ignore"
END = "end"


class Login(Protocol):
    """The attributes of a live session that a decision needs."""

    @property
    def serial(self) -> int: ...

    @property
    def started_at(self) -> datetime: ...

    @property
    def last_seen_at(self) -> datetime | None: ...

    @property
    def present_until(self) -> datetime | None: ...


L = TypeVar("L", bound=Login)


def over_limit(
    others: Iterable[L], limit: int | None, *, places: int = 1, by_use: bool = False
) -> list[L]:
    """Return the sessions that are over the limit, the oldest first.

    Args:
        others: the user's live sessions in one slot, in any order, without the new one.
        limit: how many the user may have there, the new one included; None: no limit.
        places: how many sessions are to be added: 1 for a new login, 0 to count only.
        by_use: see ``oldest_first()``.

    Returns:
        the sessions to end so that at most ``limit`` remain.
    """
    if limit is None:
        return []
    ordered = oldest_first(others, by_use=by_use)
    return ordered[: max(0, len(ordered) + places - limit)]


def oldest_first(logins: Iterable[L], *, by_use: bool = False) -> list[L]:
    """Return sessions in the order in which they are evicted.

    Args:
        logins: the sessions.
        by_use: evict the least recently used first, instead of the first to sign in.
    """
    return sorted(logins, key=_last_use if by_use else _age)


def _age(login: Login) -> int:
    return login.serial


def _last_use(login: Login) -> tuple[datetime, int]:
    """Return the last use; where none is recorded, the sign-in."""
    return login.last_seen_at or login.started_at, login.serial


def is_away(login: Login, now: datetime, seconds: float | None) -> bool:
    """Tell whether the browser of a session was connected, and has been gone for so long.

    Args:
        login: the session.
        now: the time.
        seconds: for how long; None: nobody is ever away.
    """
    if seconds is None or login.present_until is None:
        return False
    seen = max(filter(None, (login.present_until, login.last_seen_at)))
    return now - seen >= timedelta(seconds=seconds)


def longest_away(logins: Iterable[L]) -> list[L]:
    """Return sessions whose browsers are gone, those that left first before the others."""
    return sorted(logins, key=_left_at)


def _left_at(login: Login) -> tuple[bool, datetime, int]:
    left = login.present_until
    return left is None, left or login.started_at, login.serial


def staff_only(user: Any, request: HttpRequest | None, slot: str) -> int | None:
    """A ``LIMIT``: one session in each slot for staff, any number for everybody else."""
    return 1 if user.is_staff else None


def device_class(user: Any, request: HttpRequest | None) -> str:
    """A ``SLOT`` for each kind of device: ``"phone"``, ``"tablet"`` or ``"desktop"``."""
    return class_of("" if request is None else request.headers.get("User-Agent", ""))
