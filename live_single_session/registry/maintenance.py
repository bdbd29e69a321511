"""Operations on the sessions of many users, in batches: for commands and the admin."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, DateTimeField, ExpressionWrapper, Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.exceptions import Terms
from live_single_session.models import (
    EndReason,
    UserSession,
    UserSessionQuerySet,
)
from live_single_session.registry import db, ending, events, eviction, limits, time_limits


def end_many(
    rows: UserSessionQuerySet,
    reason: str,
    progress: Callable[[int], None] | None = None,
    *,
    still: Q | None = None,
) -> int:
    """End sessions of many users, in batches: each takes the same few queries, and commits.

    Their tabs are told when all have ended: however slow that is, it keeps no session live.

    Args:
        rows: which ones; those that have ended already are left alone.
        reason: an ``EndReason``.
        progress: called after each batch with the number of sessions that were looked at.
        still: what they must match even then, when their users are locked.

    Returns:
        how many this call ended.
    """
    ended = 0
    with events.at_last():
        for batch in db.batches(rows.live()):
            users = {user_pk for _, user_pk in batch}
            match = Q(pk__in=[pk for pk, _ in batch]) & (still or Q())
            with suppress(get_user_model().DoesNotExist), db.locked(users) as now:
                found = list(db.rows().live().filter(match).select_related("user"))
                ending.end_rows(found, reason, now)
                ended += len(found)
            if progress is not None:
                progress(len(batch))
    return ended


@sensitive_variables()
def expire(rows: UserSessionQuerySet, progress: Callable[[int], None] | None = None) -> int:
    """End sessions that have expired unnoticed, or whose time is over.

    The engine is asked, since the expiry that the registry knows may be outdated.

    Returns:
        how many this call ended.
    """
    ended = 0
    for batch in db.batches(rows.live().filter(expires_at__lte=db.Now())):
        gone = ending.lost_among(db.rows().filter(pk__in=[pk for pk, _ in batch]))
        if gone:
            ended += ending.end_expired(gone)
        if progress is not None:
            progress(len(batch))
    for reason in time_limits.in_force():
        overdue = time_limits.overdue() & Q(ends_by=reason)
        ended += end_many(rows.filter(overdue), reason, progress, still=overdue)
    return ended


def ended_before(days: int) -> UserSessionQuerySet:
    """Return the sessions that ended more than so many days ago."""
    before = ExpressionWrapper(db.Now() - timedelta(days=days), DateTimeField())
    return db.rows().filter(ended_at__lt=before)


def prunable(days: int) -> UserSessionQuerySet:
    """Return the sessions that ended that long ago and that the engine has forgotten."""
    return ended_before(days).filter(session_key="")


def prune(days: int, progress: Callable[[int], None] | None = None) -> int:
    """Delete what ``prunable()`` returns, in batches.

    Rows of ended sessions never change, so no lock is needed.

    Returns:
        how many rows were deleted.
    """
    pruned = 0
    for batch in db.batches(prunable(days)):
        ids = [pk for pk, _ in batch]
        _, deleted = db.rows().filter(pk__in=ids).delete()
        pruned += deleted.get(UserSession._meta.label, 0)
        if progress is not None:
            progress(len(ids))
    return pruned


def forget_user(user_pk: Any) -> None:
    """Delete the rows of a user who is gone."""
    db.rows().of(user_pk).delete()


def over_limit(user: Any) -> list[UserSession]:
    """Return those of a user's live sessions that are over the limit, the oldest first.

    Raises:
        ImproperlyConfigured, Exception: a ``LIMIT`` callable is wrong, or has raised.
    """
    rows = list(db.rows().of(user).live())
    return [
        row for found in _slots_over_limit(user, rows, timezone.now()) for row in found.excess
    ]


def enforce(user: Any) -> list[UserSession]:
    """End those of a user's live sessions that are over the limit, after it was changed.

    Returns:
        the sessions that this call ended, the oldest first.

    Raises:
        ImproperlyConfigured, Exception: a ``LIMIT`` callable is wrong, or has raised.
    """
    ended = []
    try:
        with db.locked({user.pk}) as now:
            rows = list(db.rows().of(user).live())
            for found in _slots_over_limit(user, rows, now):
                ending.end_forgotten(found.forgotten, now)
                ending.end_rows(
                    found.excess, EndReason.SUPERSEDED, now, replaced_by=found.newest
                )
                ended += found.excess
    except get_user_model().DoesNotExist:
        return []
    return ended


def users_over_limit() -> Iterator[list[Any]]:
    """Yield the users who may have too many live sessions, a batch at a time."""
    users = get_user_model()._base_manager.using(db.database())
    pairs, last = _rows_over_limit().order_by("user_id"), Q()
    while True:
        pks = pairs.filter(last).values_list("user_id", flat=True).distinct()[: db.CHUNK]
        batch = list(pks)
        if not batch:
            return
        found = users.in_bulk(batch)
        yield [found[pk] for pk in batch if pk in found]
        last = Q(user_id__gt=batch[-1])


def count_users_over_limit() -> int:
    """Return how many users ``users_over_limit()`` goes through."""
    number: int = _rows_over_limit().values("user_id").distinct().count()
    return number


@dataclass(frozen=True)
class SlotOverLimit:
    """A user's live sessions in one slot that may be over its limit."""

    forgotten: list[UserSession]
    excess: list[UserSession]
    newest: UserSession | None


def _slots_over_limit(
    user: Any, rows: Iterable[UserSession], now: datetime
) -> Iterator[SlotOverLimit]:
    """Yield the slots in which a user may have too many live sessions."""
    slots: dict[str, list[UserSession]] = {}
    for row in rows:
        slots.setdefault(row.slot, []).append(row)
    for slot in sorted(slots.keys() - {limits.EXEMPT_SLOT}):
        limit = limits.limit_for(user, None, slot)
        terms = Terms(slot, limit, policy.END_OLDEST, limits.by_use())
        if terms.limit is None or not limits.over_limit(slots[slot], terms, places=0):
            continue
        ordered = limits.oldest_first(slots[slot], terms)
        held, forgotten = eviction.split_by_engine(ordered, terms.limit, now)
        newest = held[0] if held else None
        yield SlotOverLimit(forgotten, limits.over_limit(held, terms, places=0), newest)


def _rows_over_limit() -> Any:
    """Return the users and slots that may be over the limit, counted by the database."""
    limit = conf.LIMIT
    if limit is None:
        return db.rows().none().values("user_id")
    least = limit if isinstance(limit, int) else 1
    pairs = db.rows().live().exclude(slot=limits.EXEMPT_SLOT).values("user_id", "slot")
    return pairs.annotate(number=Count("pk")).filter(number__gt=least)
