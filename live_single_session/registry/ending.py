"""How sessions end: in the table, in the session engine, and for those who listen."""

import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import (
    EndReason,
    UserSession,
    UserSessionQuerySet,
)
from live_single_session.registry import db, engine, events

logger = logging.getLogger("live_single_session")

# Added to how long a fenced engine remembers that a session may have ended.
MARGIN_SECONDS = 24 * 60 * 60


def end(session: UserSession, reason: str) -> bool:
    """End one session.

    Args:
        session: its row, possibly stale.
        reason: an ``EndReason``.

    Returns:
        whether this call ended it; False if it had ended before.
    """
    return end_where(session.user_id, reason, Q(pk=session.pk)) == 1


def end_all(user: Any, reason: str, keep: UserSession | uuid.UUID | None = None) -> int:
    """End a user's sessions.

    Args:
        user: whose.
        reason: an ``EndReason``.
        keep: one that stays live, or its id.

    Returns:
        how many this call ended.
    """
    kept = keep.pk if isinstance(keep, UserSession) else keep
    return end_where(user.pk, reason, Q() if kept is None else ~Q(pk=kept))


def ended_among(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Return those of some sessions that have ended, in one query if none has.

    Sessions that expired on their own and those of deactivated users end here, and what
    an earlier clean-up left behind is finished. That waits for nobody's lock, since many
    wait for the answer: what is locked is left to whoever looks next.

    Returns:
        their rows by id; None in the place of a row that is missing.
    """
    ended: dict[uuid.UUID, UserSession | None] = {}
    for chunk in db.chunks(session_ids):
        unexpired = db.rows().live().filter(pk__in=chunk, expires_at__gt=db.Now())
        sound = unexpired.filter(**_active_user())
        doubtful = set(chunk) - set(sound.values_list("pk", flat=True))
        if doubtful:
            ended.update(_ended_of_doubtful(doubtful))
    return ended


def finish(rows: UserSessionQuerySet | None = None, *, wait: bool = True) -> int:
    """Make the engine forget ended sessions that it may still hold. Idempotent.

    Args:
        rows: which ones to look at; by default all.
        wait: whether to wait for requests that are writing to them.

    Returns:
        how many this call finished.
    """
    unfinished = (db.rows() if rows is None else rows).unfinished()
    finished = 0
    for chunk in db.chunks(unfinished.values_list("pk", flat=True)):
        found = list(unfinished.filter(pk__in=chunk))
        # Their marks may not have been set, or not have outlived the cache.
        if suspect([row.session_key for row in found], found):
            finished += _forget({row.pk: row.session_key for row in found}, wait=wait)
    return finished


def is_held(row: UserSession, now: datetime) -> bool:
    """Tell whether a session is still there, as the engine says; tokens have none."""
    if row.session_key:
        return engine.holds(row.session_key, row.user_id)
    return row.expires_at is None or row.expires_at > now


def end_where(
    user_pk: Any,
    reason: str,
    match: Q,
    replaced_by: UserSession | None = None,
    *,
    wait: bool = True,
) -> int:
    """End those of a user's live sessions that match; return how many they were."""
    try:
        with db.locked({user_pk}, wait=wait) as now:
            rows = list(db.for_update(db.rows().live().filter(match, user_id=user_pk)))
            end_rows(rows, reason, now, replaced_by)
    except get_user_model().DoesNotExist:
        return 0
    return len(rows)


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
    using = db.database()
    changes = {"ended_at": now, "end_reason": reason, "replaced_by": replaced_by}
    keys = {row.pk: row.session_key for row in rows if row.session_key}
    if engine.shares_transaction(using):
        gone = engine.delete_rows(keys.values(), using)
        keys = {pk: key for pk, key in keys.items() if key not in gone}
        is_marked = True
    else:
        is_marked = suspect(keys.values(), rows)
    if keys and is_marked:
        db.on_commit(_forget, keys)
    elif keys:
        db.on_commit(finish, db.rows().filter(pk__in=list(keys)))
    for row in rows:
        row.session_key = keys.get(row.pk, "")
        for name, value in changes.items():
            setattr(row, name, value)
    for chunk in db.chunks(keys):
        db.rows().filter(pk__in=chunk).update(**changes)
    for chunk in db.chunks(row.pk for row in rows if row.pk not in keys):
        db.rows().filter(pk__in=chunk).update(**changes, session_key="")
    for together in _by_user(rows):
        db.on_commit(events.send_ended, together)


@sensitive_variables()
def _forget(keys: Mapping[uuid.UUID, str], *, wait: bool = True) -> int:
    """Clean up after sessions that have ended; return how many were left to clean up."""
    using = db.database()
    if wait or not engine.shares_transaction(using):
        forgotten, left = set(engine.forget_rows(keys.values(), using)), keys
    else:
        with transaction.atomic(using=using):
            forgotten, left = engine.delete_rows(keys.values(), using), {}
    for pk, key in left.items():
        if key in forgotten:
            continue
        try:
            engine.forget(key)
        except Exception:
            logger.exception("The engine could not forget session %s; it will be retried", pk)
        else:
            forgotten.add(key)
    # A row that has ended keeps its key until it is blanked: it needs no second look.
    done = [pk for pk, key in keys.items() if key in forgotten]
    batches = (db.rows().unfinished().filter(pk__in=chunk) for chunk in db.chunks(done))
    return sum(batch.update(session_key="") for batch in batches)


@sensitive_variables()
def suspect(keys: Collection[str], rows: Iterable[UserSession]) -> bool:
    """Set the fence before the commit, so that a crash leaves no gap."""
    now = timezone.now()
    lifetimes = [(row.expires_at - now).total_seconds() for row in rows if row.expires_at]
    seconds = max([settings.SESSION_COOKIE_AGE, *lifetimes]) + MARGIN_SECONDS
    try:
        engine.suspect(keys, seconds)
    except Exception:
        logger.exception("The session cache could not be told that sessions end")
        return False
    return True


def _active_user() -> dict[str, bool]:
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    return {"user__is_active": True} if "is_active" in fields else {}


def _ended_of_doubtful(ids: set[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Look closer at sessions that are missing, ended, expired or deactivated."""
    now = timezone.now()
    doubtful = db.rows().filter(pk__in=ids)
    for row in doubtful.live().select_related("user"):
        reason = _reason_to_end(row, now)
        if reason is not None:
            end_where(row.user_id, reason, Q(pk=row.pk), wait=False)
    finish(doubtful, wait=False)
    rows = doubtful.select_related("replaced_by").in_bulk()
    ended: dict[uuid.UUID, UserSession | None] = dict.fromkeys(ids - rows.keys())
    return ended | {pk: row for pk, row in rows.items() if row.ended_at is not None}


def _reason_to_end(row: UserSession, now: datetime) -> EndReason | None:
    if not getattr(row.user, "is_active", True):
        return EndReason.DEACTIVATED
    # What the registry knows of the expiry may be old: the engine has the last word.
    return None if is_held(row, now) else EndReason.EXPIRED


def _by_user(rows: Iterable[UserSession]) -> Iterator[tuple[UserSession, ...]]:
    users: dict[Any, list[UserSession]] = {}
    for row in rows:
        users.setdefault(row.user_id, []).append(row)
    for together in users.values():
        yield tuple(together)
