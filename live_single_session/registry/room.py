"""Who gives way to whom, once it is known which sessions are still there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from live_single_session import policy
from live_single_session.models import (
    EndReason,
    UserSession,
)
from live_single_session.registry import announcements, ending, limits, table


def make_room(
    rows: Iterable[UserSession], current: UserSession, terms: limits.Terms, now: datetime
) -> None:
    """Make the newcomer's place, by the terms of its login."""
    rivals = [
        row
        for row in rows
        if row.ended_at is None
        and row.pk != current.pk
        and (row.user_id, row.slot) == (current.user_id, current.slot)
    ]
    if terms.limit is None or not terms.over_limit(rivals):
        return
    if terms.on_limit == policy.OBSERVE:
        table.on_commit(announcements.announce_observed, current, terms.over_limit(rivals))
        return
    refusing = terms.on_limit in (policy.REFUSE, policy.ASK)
    enough = terms.limit if refusing else terms.limit - 1
    held, forgotten = told_apart(terms.oldest_first(rivals), enough, now)
    over = terms.over_limit(held)
    if over and refusing:
        held = terms.oldest_first(held)
        raise limits.LoginRefused(current.user, held, terms, current.serial)
    ending.end_rows(forgotten, EndReason.EXPIRED, now)
    ending.end_rows(over, EndReason.SUPERSEDED, now, replaced_by=current)


def give_way(
    row: UserSession, rows: Iterable[UserSession], terms: limits.Terms, now: datetime
) -> None:
    """End a session that was just adopted, if there is no place for it."""
    if terms.limit is None or terms.on_limit == policy.OBSERVE:
        return
    rivals = terms.oldest_first([r for r in rows if r.ended_at is None])
    held, _ = told_apart(rivals, terms.limit, now)
    if len(held) >= terms.limit:
        newest = terms.oldest_first(held)[-1]
        ending.end_rows([row], EndReason.SUPERSEDED, now, replaced_by=newest)


def told_apart(
    rows: Sequence[UserSession], enough: int, now: datetime
) -> tuple[list[UserSession], list[UserSession]]:
    """Tell the sessions that the engine still holds from those that it has forgotten.

    The engine is asked about the last ones first, until enough are found; the rest is
    taken for held: it has to give way in any case.
    """
    held: list[UserSession] = []
    forgotten: list[UserSession] = []
    for row in reversed(rows):
        found = len(held) >= enough or ending.is_held(row, now)
        (held if found else forgotten).append(row)
    return held, forgotten
