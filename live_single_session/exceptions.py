"""A login that the session limit refuses, and the terms that a login is subject to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from live_single_session.models import UserSession


@dataclass(frozen=True)
class Terms:
    """What a login is subject to.

    Attributes:
        slot: the slot that it counts in.
        limit: how many live sessions are allowed there; None: no limit.
        on_limit: what a login over the limit does, one of the values of ``ON_LIMIT``.
        by_use: whether the least recently used sessions are evicted first, instead of
            those that signed in first.
        expected_serial: the serial that the login must get, where its user has chosen to
            end other sessions: a later login was not part of the choice, and a choice
            counts once.
    """

    slot: str
    limit: int | None
    on_limit: str
    by_use: bool = False
    expected_serial: int | None = None


class LoginRefused(Exception):  # noqa: N818 - a refusal, as Django names its own
    """The session limit is reached, and existing sessions are kept (refuse or ask).

    Attributes:
        user: who may not sign in.
        live: the sessions that are kept, those that would be evicted first.
        terms: what the login was subject to.
        serial: the serial that the login would have had among the user's.
        asks: whether the user may choose to end them.
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
