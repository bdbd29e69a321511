"""The rules of a login: its slot, the limits there, and what happens over the limit."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from live_single_session import policy
from live_single_session.conf import Seconds, conf
from live_single_session.exceptions import Terms, TimeLimits
from live_single_session.models import (
    UserSession,
)
from live_single_session.request_state import state_of

logger = logging.getLogger("live_single_session")

# The slot of exempt sessions, which don't count towards any limit.
EXEMPT_SLOT = "(exempt)"


def oldest_first(rows: Iterable[UserSession], terms: Terms) -> list[UserSession]:
    """Return sessions in the order in which they are evicted."""
    return policy.oldest_first(rows, by_use=terms.by_use)


def over_limit(rows: Iterable[UserSession], terms: Terms, places: int = 1) -> list[UserSession]:
    """Return the sessions that are over the limit if so many more are added."""
    return policy.over_limit(rows, terms.limit, places=places, by_use=terms.by_use)


def terms_for(user: Any, request: HttpRequest | None) -> Terms:
    """Return the rules that apply to a user's login by this request."""
    if getattr(request, "single_session_exempt", False):
        return Terms(EXEMPT_SLOT, None, policy.END_OLDEST, time=time_limits_for(user, request))
    state = state_of(request)
    expected_serial = state.take_over
    on_limit = conf.ON_LIMIT if expected_serial is None else policy.END_OLDEST
    slot = _slot_for(user, request)
    return Terms(
        slot,
        limit_for(user, request, slot),
        on_limit,
        by_use(),
        expected_serial,
        state.chosen,
        time_limits_for(user, request),
        conf.AWAY_SECONDS,
    )


def by_use() -> bool:
    """Tell whether the least recently used are evicted first, rather than the oldest."""
    return conf.ACTIVITY_SECONDS is not None


@contextmanager
def _naming(setting: str, user: Any) -> Iterator[None]:
    """Log which setting's callable raised, and for which user."""
    try:
        yield
    except Exception:
        logger.exception(
            "LIVE_SINGLE_SESSION[%r] raised for user %s: no session is started, and none ends",
            setting,
            user.pk,
        )
        raise


def limit_for(user: Any, request: HttpRequest | None, slot: str) -> int | None:
    """Return the limit of a user in a slot; raise what a ``LIMIT`` callable raises."""
    with _naming("LIMIT", user):
        return _checked_limit(user, request, slot)


def _checked_limit(user: Any, request: HttpRequest | None, slot: str) -> int | None:
    limit = conf.LIMIT
    if callable(limit):
        limit = limit(user, request, slot)
    if limit is None or (isinstance(limit, int) and limit >= 1 and limit is not True):
        return limit
    raise ImproperlyConfigured(f"LIMIT must be a positive int or None, not {limit!r}.")


def time_limits_for(user: Any, request: HttpRequest | None) -> TimeLimits:
    """Return the limits in time of a user's session; raise what their callables raise."""
    with _naming("IDLE_SECONDS", user):
        idle = _checked_seconds("IDLE_SECONDS", conf.IDLE_SECONDS, user, request)
    with _naming("LIFETIME_SECONDS", user):
        lifetime = _checked_seconds("LIFETIME_SECONDS", conf.LIFETIME_SECONDS, user, request)
    return TimeLimits(idle, lifetime, conf.ACTIVITY_SECONDS or 0.0)


def _checked_seconds(
    setting: str, seconds: Seconds, user: Any, request: HttpRequest | None
) -> float | None:
    if callable(seconds):
        seconds = seconds(user, request)
    if seconds is None or (isinstance(seconds, int | float) and seconds > 0):
        return seconds
    raise ImproperlyConfigured(f"{setting} must be a number above 0 or None, not {seconds!r}.")


def _slot_for(user: Any, request: HttpRequest | None) -> str:
    slot = conf.SLOT
    length = UserSession._meta.get_field("slot").max_length
    with _naming("SLOT", user):
        return "" if slot is None else str(slot(user, request))[:length]
