"""How many sessions a user may have, and which give way: pure functions over values."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from django.http import HttpRequest

# What a login over the limit does: the values of ``ON_LIMIT``.
END_OLDEST = "end_oldest"
REFUSE = "refuse"
ASK = "ask"
OBSERVE = "observe"


class Login(Protocol):
    """What a decision needs to know of a live session."""

    @property
    def serial(self) -> int: ...


L = TypeVar("L", bound=Login)


def over_limit(others: Iterable[L], limit: int | None, *, places: int = 1) -> list[L]:
    """Return those of a user's other live sessions that are one too many, oldest first.

    Args:
        others: the user's live sessions in one slot, in any order, without the new one.
        limit: how many the user may have there, the new one included; None: no limit.
        places: how many of them are needed: one for a new login, none to count only.

    Returns:
        the sessions that have to give way so that at most ``limit`` remain.
    """
    if limit is None:
        return []
    ordered = oldest_first(others)
    return ordered[: max(0, len(ordered) + places - limit)]


def oldest_first(logins: Iterable[L]) -> list[L]:
    """Return sessions in the order in which they give way."""
    return sorted(logins, key=lambda login: login.serial)


def staff_only(user: Any, request: HttpRequest | None) -> int | None:
    """A ``LIMIT``: one session for staff, any number for everybody else."""
    return 1 if user.is_staff else None
