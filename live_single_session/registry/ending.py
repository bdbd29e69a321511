"""End sessions: in the registry, in the session engine, and for receivers."""

import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.exceptions import Busy
from live_single_session.models import EndReason, UserSession
from live_single_session.registry import (
    cleanup,
    compiled,
    db,
    engine,
    events,
    records,
    time_limits,
)


def end(session: UserSession, reason: str) -> bool:
    """End one session.

    Args:
        session: its row, possibly stale.
        reason: an ``EndReason``.

    Returns:
        whether this call ended it; False if it had ended before.

    Raises:
        ValueError: the reason is none.
    """
    return end_where(session.user_id, EndReason(reason), Q(pk=session.pk)) == 1


def end_all(user: Any, reason: str, keep: UserSession | uuid.UUID | None = None) -> int:
    """End a user's sessions.

    Args:
        user: whose.
        reason: an ``EndReason``.
        keep: one that stays live, or its id.

    Returns:
        how many this call ended.

    Raises:
        ValueError: the reason is none.
    """
    kept = keep.pk if isinstance(keep, UserSession) else keep
    match = Q() if kept is None else ~Q(pk=kept)
    return end_where(user.pk, EndReason(reason), match, user=user)


def ended_among(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Return those of some sessions that have ended, in one query if none has.

    Sessions that expired on their own and those of deactivated users end here, and what
    an earlier clean-up left behind is finished. This waits for no lock, since many websockets
    wait for the answer: a user who is locked is left to the next call.

    Returns:
        their rows by id; None in the place of a row that is missing.
    """
    ended: dict[uuid.UUID, UserSession | None] = {}
    for chunk in db.chunks(session_ids):
        live = db.rows().live().filter(time_limits.within(), pk__in=chunk)
        unexpired = live.filter(expires_at__gt=db.Now())
        sound = unexpired.filter(**_active_user())
        doubtful = set(chunk) - set(sound.values_list("pk", flat=True))
        if doubtful:
            ended.update(_ended_of_doubtful(doubtful))
    return ended


def is_held(row: UserSession, now: datetime) -> bool:
    """Tell whether the engine still has a session, or a token has not expired yet; in time."""
    if time_limits.is_over(row, now):
        return False
    if row.session_key:
        return engine.holds(row.session_key, row.user_id)
    return row.expires_at is None or row.expires_at > now


def end_overdue(row: UserSession) -> bool:
    """Tell whether the time of a live session is over; it ends, unless its user is locked."""
    match = Q(pk=row.pk) & time_limits.overdue()
    if row.ends_at is None or not db.rows().filter(match).exists():
        return False
    with suppress(Busy):
        end_where(row.user_id, row.ends_by, match, wait=False)
    return True


def end_forgotten(rows: Iterable[UserSession], now: datetime) -> None:
    """End live rows that ``is_held()`` is false of; the caller holds their users' locks."""
    for reason, group in time_limits.by_reason(rows, now).items():
        end_rows(group, reason, now)


def end_where(
    user_pk: Any,
    reason: str,
    match: Q,
    replaced_by: UserSession | None = None,
    *,
    user: Any = None,
    wait: bool = True,
) -> int:
    """End those of a user's live sessions that match; return how many they were."""
    try:
        with db.locked({user_pk}, wait=wait) as now:
            rows = list(db.rows().of(user_pk).live().filter(match))
            for row in rows if user is not None else ():
                records.remember_user(row, user)
            end_rows(rows, reason, now, replaced_by)
    except get_user_model().DoesNotExist:
        return 0
    return len(rows)


@sensitive_variables()
def end_expired(sessions: Collection[UserSession], *, wait: bool = True) -> int:
    """End those of some sessions that have expired; return how many they were.

    The registry may know an old expiry, so the engine is asked, and under the users' locks:
    a key that was read without them may have been replaced meanwhile.
    """
    users, pks = {row.user_id for row in sessions}, [row.pk for row in sessions]
    try:
        with db.locked(users, wait=wait) as now:
            due = db.rows().live().filter(pk__in=pks, expires_at__lte=now)
            gone = lost_among(due)
            end_rows(gone, EndReason.EXPIRED, now)
    except get_user_model().DoesNotExist:
        return 0
    return len(gone)


@sensitive_variables()
def lost_among(rows: Iterable[UserSession]) -> list[UserSession]:
    """Return those of some sessions that the engine doesn't have; it has none of tokens."""
    rows = list(rows)
    held = engine.held_among({row.session_key: row.user_id for row in rows if row.session_key})
    return [row for row in rows if row.session_key not in held]


@sensitive_variables()
def end_rows(
    rows: list[UserSession],
    reason: str,
    now: datetime,
    replaced_by: UserSession | None = None,
) -> None:
    """End live rows; the caller holds their users' locks."""
    if not rows:
        return
    left = _forget_in_transaction(rows)
    changes = {
        "ended_at": now,
        "end_reason": reason,
        "replaced_by_id": replaced_by and replaced_by.pk,
        "announced_at": None if events.has_receivers() else now,
    }
    for row in rows:
        row.session_key = left.get(row.pk, "")
        for name, value in changes.items():
            setattr(row, name, value)
        row.replaced_by = replaced_by
    _record([row.pk for row in rows if row.pk in left], **changes)
    _record([row.pk for row in rows if row.pk not in left], **changes, session_key="")
    for batch in cleanup.by_user(rows):
        db.on_commit(events.send_ended, batch)


def _record(pks: list[uuid.UUID], **changes: Any) -> None:
    if len(pks) == 1:  # as in nearly every sign-in
        _recording_of_one(db.database(), tuple(changes)).run({"pk": pks[0]} | changes)
        return
    for chunk in db.chunks(pks):
        db.rows().filter(pk__in=chunk).update(**changes)


@lru_cache(maxsize=64)
def _recording_of_one(using: str, changed: tuple[str, ...]) -> compiled.Statement:
    opts = UserSession._meta
    one = db.rows().filter(pk=compiled.parameter("pk", opts.pk))
    changes = {name: compiled.parameter(name, opts.get_field(name)) for name in changed}
    return compiled.update(one, **changes)


@sensitive_variables()
def _forget_in_transaction(rows: list[UserSession]) -> dict[uuid.UUID, str]:
    """Delete the data of sessions, and mark their keys, in the transaction that ends them.

    Returns:
        the keys, by their rows' ids, of those that are left to be forgotten on commit.
    """
    using = db.database()
    keys = {row.pk: row.session_key for row in rows if row.session_key}
    if not keys:
        return keys
    is_marked = cleanup.mark(keys.values(), rows)
    if engine.shares_transaction(using):
        gone = engine.delete_rows(keys.values(), using)
        if is_marked:
            db.on_commit(engine.forget_cached, gone)
            keys = {pk: key for pk, key in keys.items() if key not in gone}
    if keys and is_marked:
        db.on_commit(cleanup.forget, keys)
    elif keys:
        db.on_commit(cleanup.finish, db.rows().filter(pk__in=list(keys)))
    return keys


def _active_user() -> dict[str, bool]:
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    return {"user__is_active": True} if "is_active" in fields else {}


def _ended_of_doubtful(ids: set[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Look closer at sessions that are missing, ended, expired or deactivated."""
    now = timezone.now()
    doubtful = db.rows().filter(pk__in=ids)
    for row in doubtful.live().select_related("user"):
        if not getattr(row.user, "is_active", True):
            end_where(row.user_id, EndReason.DEACTIVATED, Q(pk=row.pk), wait=False)
        elif not end_overdue(row) and not is_held(row, now):
            end_expired([row], wait=False)
    # Of users who were deleted past Django's signals: nobody is left to be locked.
    orphans = doubtful.live().exclude(user__in=get_user_model()._base_manager.all())
    orphans.update(ended_at=db.Now(), end_reason=EndReason.DEACTIVATED)
    cleanup.finish(doubtful)
    rows = doubtful.select_related("replaced_by").in_bulk()
    ended: dict[uuid.UUID, UserSession | None] = dict.fromkeys(ids - rows.keys())
    return ended | {pk: row for pk, row in rows.items() if row.ended_at is not None}
