"""What the registry raises, and ``Terms``: the rules that apply to a login."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from live_single_session.models import EndReason, UserSession


@dataclass(frozen=True)
class TimeLimits:
    """The limits in time of one session, in seconds; None: there is none.

    Attributes:
        idle: how long it may go unused.
        lifetime: how long after its sign-in it ends.
        slack: how long its use may go unrecorded: it ends so much later than it could.
    """

    idle: float | None = None
    lifetime: float | None = None
    slack: float = 0.0

    def end_of(self, started_at: datetime, used_at: datetime) -> tuple[datetime | None, str]:
        """Return when a session ends, and by which limit; None and "" where it has none.

        Args:
            started_at: when it was signed in to.
            used_at: its last recorded use.
        """
        ends: list[tuple[datetime, str]] = []
        if self.idle is not None:
            ends.append(
                (used_at + timedelta(seconds=self.idle + self.slack), EndReason.IDLE.value)
            )
        if self.lifetime is not None:
            end = started_at + timedelta(seconds=self.lifetime)
            ends.append((end, EndReason.LIFETIME.value))
        return min(ends, default=(None, ""))


@dataclass(frozen=True)
class Terms:
    """The rules that apply to one login.

    Attributes:
        slot: the slot that it counts in.
        limit: how many live sessions are allowed there; None: no limit.
        on_limit: what a login over the limit does, one of the values of ``ON_LIMIT``.
        by_use: whether the least recently used sessions are evicted first, instead of
            those that signed in first.
        expected_serial: the serial that the login must get, where its user has chosen to
            end other sessions. Another serial means that there was a login since the user
            was asked, or that the choice has been used already.
        chosen: the sessions to end, where its user has picked them.
        time: its limits in time.
        away_seconds: for how long a browser must be gone for its session to give way where
            others are kept; None: it is kept, too.
    """

    slot: str
    limit: int | None
    on_limit: str
    by_use: bool = False
    expected_serial: int | None = None
    chosen: frozenset[UUID] | None = None
    time: TimeLimits = TimeLimits()
    away_seconds: float | None = None


class LoginRefused(Exception):  # noqa: N818 - a refusal, as Django names its own
    """The session limit is reached, and existing sessions are kept (refuse or ask).

    Attributes:
        user: whose login is refused.
        live: the sessions that are kept, those that would be evicted first.
        terms: the rules that applied to the login.
        serial: the serial that the login would have got.
        asks: whether the user may choose to end those sessions.
    """

    def __init__(
        self, user: Any, live: Iterable[UserSession], terms: Terms, serial: int
    ) -> None:
        super().__init__("The user is signed in on as many devices as are allowed.")
        self.user = user
        self.live = tuple(live)
        self.terms = terms
        self.serial = serial
        self.asks = False


class Busy(Exception):  # noqa: N818 - a state, as Django names its own
    """Others have held a user's lock for too long; nothing has changed."""

    def __init__(self) -> None:
        super().__init__("The user's sessions are being changed elsewhere. Try again.")


class PasswordChanged(Exception):  # noqa: N818 - a refusal
    """The user's password has changed since it was checked: the sign-in counts for nothing."""
