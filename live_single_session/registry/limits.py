"""What a login is subject to: where it counts, how many may be there, and what then."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.context import take_over_in
from live_single_session.models import (
    UserSession,
)

logger = logging.getLogger("live_single_session")

# Where sessions are that count for nothing; a SLOT callable's own names may be anything else.
EXEMPT_SLOT = "(exempt)"


class LoginRefused(Exception):  # noqa: N818 - a refusal, as Django names its own
    """A login found no place, and nobody gives way to it (``ON_LIMIT``: refuse or ask).

    Attributes:
        user: who may not sign in.
        live: the sessions that keep their places, those that would give way first.
        terms: what the login was subject to.
        serial: where the login would have stood among the user's.
        announced: whether the log and the listeners have heard of it.
    """

    def __init__(
        self, user: Any, live: Iterable[UserSession], terms: "Terms", serial: int
    ) -> None:
        super().__init__("The user is signed in on as many devices as are allowed.")
        self.user = user
        self.live = tuple(live)
        self.terms = terms
        self.serial = serial
        self.announced = False


@dataclass(frozen=True)
class Terms:
    """What a login is subject to.

    Attributes:
        slot: where it counts.
        limit: how many may be there.
        on_limit: what then.
        by_use: whether those unused the longest give way, or those signed in first.
        as_of: the serial that the login must get, where its user has chosen to end other
            sessions: a later login was not part of the choice, and a choice counts once.
    """

    slot: str
    limit: int | None
    on_limit: str
    by_use: bool = False
    as_of: int | None = None

    def oldest_first(self, rows: Iterable[UserSession]) -> list[UserSession]:
        """Return sessions in the order in which they give way."""
        return policy.oldest_first(rows, by_use=self.by_use)

    def over_limit(self, rows: Iterable[UserSession], places: int = 1) -> list[UserSession]:
        """Return those of some sessions that are too many for so many more."""
        return policy.over_limit(rows, self.limit, places=places, by_use=self.by_use)


def terms_for(user: Any, request: HttpRequest | None) -> Terms:
    """Return what a user's login by this request is subject to."""
    if getattr(request, "single_session_exempt", False):
        return Terms(EXEMPT_SLOT, None, policy.END_OLDEST)
    as_of = take_over_in(request)
    on_limit = conf.ON_LIMIT if as_of is None else policy.END_OLDEST
    slot, limit = _slot_for(user, request), limit_for(user, request)
    return Terms(slot, limit, on_limit, by_use(), as_of)


def by_use() -> bool:
    """Tell whether those unused the longest give way, rather than those signed in first."""
    return conf.ACTIVITY_SECONDS is not None


@contextmanager
def _naming(setting: str, user: Any) -> Iterator[None]:
    """Say in the log whose callable it was that raised, and what for."""
    try:
        yield
    except Exception:
        logger.exception(
            "LIVE_SINGLE_SESSION[%r] raised for user %s: no session is started, and none ends",
            setting,
            user.pk,
        )
        raise


def limit_for(user: Any, request: HttpRequest | None) -> int | None:
    """Return how many sessions a user may have; raise what a ``LIMIT`` callable raises."""
    with _naming("LIMIT", user):
        return _checked_limit(user, request)


def _checked_limit(user: Any, request: HttpRequest | None) -> int | None:
    limit = conf.LIMIT
    if callable(limit):
        limit = limit(user, request)
    if limit is None or (isinstance(limit, int) and limit >= 1 and limit is not True):
        return limit
    raise ImproperlyConfigured(f"LIMIT must be a positive int or None, not {limit!r}.")


def _slot_for(user: Any, request: HttpRequest | None) -> str:
    slot = conf.SLOT
    length = UserSession._meta.get_field("slot").max_length
    with _naming("SLOT", user):
        return "" if slot is None else str(slot(user, request))[:length]
