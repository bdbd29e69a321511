"""Ask the registry about many watched sessions in one query, in the place where they are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from live_single_session.notices import EndNotice, notice_of, notice_of_unknown
from live_single_session.realtime.lookup import Place, in_place
from live_single_session.registry import db, ending, missing, time_limits
from live_single_session.registry.time_limits import Ahead


@dataclass(frozen=True)
class Found:
    """A session that has ended, or that is not there.

    Attributes:
        notice: what to tell.
        is_missing: whether it has no row, as one of another tenant has none.
    """

    notice: EndNotice
    is_missing: bool


async def ended_in(
    place: Place, users: Mapping[UUID, object], *, ask_engine: bool = False
) -> dict[UUID, Found]:
    """Return those of some sessions that have ended.

    Args:
        place: where they are.
        users: whose they are: primary keys by session.
        ask_engine: whether to look for those that the engine no longer has, too.
    """
    found: dict[UUID, Found] = await in_place(place, _ended_among, users, ask_engine)
    return found


async def soon_in(
    place: Place, session_ids: Collection[UUID], seconds: float
) -> dict[UUID, Ahead]:
    """Return those of some sessions that end in time within so many seconds."""
    found: dict[UUID, Ahead] = await in_place(place, time_limits.soon, session_ids, seconds)
    return found


def _ended_among(users: Mapping[UUID, object], ask_engine: bool) -> dict[UUID, Found]:
    if ask_engine:
        missing.end_removed(users.keys())
    rows = ending.ended_among(users.keys())
    unknown = [session_id for session_id, row in rows.items() if row is None]
    gone = _gone_among({str(users[session_id]) for session_id in unknown})
    found = {pk: Found(notice_of(row), False) for pk, row in rows.items() if row is not None}
    for session_id in unknown:
        user_is_gone = str(users[session_id]) in gone
        notice = notice_of_unknown(session_id, user_is_gone=user_is_gone)
        found[session_id] = Found(notice, is_missing=True)
    return found


def _gone_among(user_pks: set[str]) -> set[str]:
    if not user_pks:
        return set()
    found = db.users_among(user_pks).values_list("pk", flat=True)
    return user_pks - {str(user_pk) for user_pk in found}
