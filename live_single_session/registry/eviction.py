"""Choose and end the sessions that a login evicts."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from live_single_session import policy
from live_single_session.exceptions import LoginRefused, Terms
from live_single_session.models import (
    EndReason,
    UserSession,
)
from live_single_session.registry import db, ending, events, limits


def enforce_limit(
    rows: Iterable[UserSession], current: UserSession, terms: Terms, lock: db.Lock
) -> None:
    """Enforce the limit for a new session; raise LoginRefused where others are kept."""
    rivals = [
        row
        for row in rows
        if row.ended_at is None
        and row.pk != current.pk
        and (row.user_id, row.slot) == (current.user_id, current.slot)
    ]
    if terms.limit is None or not limits.over_limit(rivals, terms):
        return
    if terms.on_limit == policy.OBSERVE:
        db.on_commit(events.send_limit_exceeded, current, limits.over_limit(rivals, terms))
        return
    refusing = terms.on_limit in (policy.REFUSE, policy.ASK)
    enough = terms.limit if refusing else terms.limit - 1
    if terms.chosen is not None or terms.away_seconds is not None:
        enough = len(rivals)  # any of them may be one that stays
    ordered = limits.oldest_first(rivals, terms)
    held, forgotten = split_by_engine(ordered, enough, lock.now)
    excess = limits.over_limit(held, terms)
    evicted = excess
    if excess and terms.chosen is not None:
        evicted = [row for row in held if row.pk in terms.chosen]
    away = [row for row in held if policy.is_away(row, lock.now, terms.away_seconds)]
    if refusing and len(away) >= len(excess):
        evicted, refusing = policy.longest_away(away)[: len(excess)], False
    if excess and (refusing or len(evicted) < len(excess)):
        held = limits.oldest_first(held, terms)
        raise LoginRefused(current.user, held, terms, current.serial)
    ending.end_forgotten(forgotten, lock.now)
    ending.end_rows(evicted, EndReason.SUPERSEDED, lock.now, replaced_by=current)


def evict_adopted(
    row: UserSession, rows: Iterable[UserSession], terms: Terms, now: datetime
) -> None:
    """End a session that was just adopted if the limit is reached without it."""
    if terms.limit is None or terms.on_limit == policy.OBSERVE:
        return
    rivals = limits.oldest_first([r for r in rows if r.ended_at is None], terms)
    held, _ = split_by_engine(rivals, terms.limit, now)
    if len(held) >= terms.limit:
        newest = limits.oldest_first(held, terms)[-1]
        ending.end_rows([row], EndReason.SUPERSEDED, now, replaced_by=newest)


def split_by_engine(
    rows: Sequence[UserSession], enough: int, now: datetime
) -> tuple[list[UserSession], list[UserSession]]:
    """Separate the sessions that the engine still holds from those that it has forgotten.

    The engine is asked about the last ones first, until enough are found. The rest counts
    as held: it is over the limit in any case.
    """
    held: list[UserSession] = []
    forgotten: list[UserSession] = []
    for row in reversed(rows):
        found = len(held) >= enough or ending.is_held(row, now)
        (held if found else forgotten).append(row)
    return held, forgotten
