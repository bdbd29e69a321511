"""Keep a live session current: rotated keys, adoption, a longer life, its last use."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Min, Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import (
    SESSION_ID_KEY,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import db, ending, engine, eviction, limits, records


def prolong(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Let a session that tokens carry live for at least so long from now.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=True)


def set_lifetime(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Record for how long a session that has just begun lives.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=False)


@sensitive_variables()
def rotate(
    session_id: object, user_pk: object, old_key: str | None, new_key: str
) -> str | None:
    """Follow a session to its new key.

    Args:
        session_id: which one.
        user_pk: whose.
        old_key: the key that it came with; None where that is not known.
        new_key: the key that it has now, perhaps the same.

    Returns:
        the key that the session has from now on, which is another one if another request
        was first to give it a new key; None if the session has ended meanwhile. Only what
        is returned may be used: what the registry doesn't know, it can't end.
    """
    known = db.rows().live().filter(Q(pk=as_uuid(session_id)), key_digest=digest(new_key))
    if known.exists():
        return new_key
    try:
        with db.locked({user_pk}) as now:
            row = records.live_row(session_id)
            if row is None:
                return None
            if row.session_key not in ("", old_key, new_key) and ending.is_held(row, now):
                return row.session_key
            old_key = old_key or row.session_key
            row.session_key, row.key_digest = new_key, digest(new_key)
            row.save(using=db.database(), update_fields=["session_key", "key_digest"])
            records.leave_behind(old_key, row)
            return new_key
    except get_user_model().DoesNotExist:
        return None


@sensitive_variables()
def adopt(user: Any, request: HttpRequest) -> UserSession | None:
    """Give a row to a session that the registry has never seen.

    It never ends another one: where there is no place left, it gives way itself.

    Returns:
        its row; its id is in ``request.session`` from now on. None if it had to give way,
        or if a ``LIMIT`` or ``SLOT`` callable raised.
    """
    try:
        terms = limits.terms_for(user, request)
    except Exception:
        return None  # it is in the log; the session's next request tries again
    session = request.session
    # It may have got a new key in this very request.
    keys = (session.session_key, request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    digests = {digest(key) for key in keys if key} if engine.keeps_keys() else set()
    try:
        with db.locked({user.pk}) as now:
            rows = records.lock_rows(
                records.here(session) | Q(key_digest__in=digests), user, terms
            )
            row = next((r for r in rows if r.key_digest in digests), None)
            if row is not None and row.ended_at is None:
                records.follow(row, session, now)
            elif row is None:
                row = records.insert(user, terms, request, now, _first_serial(user))
                eviction.evict_adopted(row, rows, terms, now)
    except get_user_model().DoesNotExist:
        return None
    if row.ended_at is not None:
        return None
    session[SESSION_ID_KEY] = str(row.pk)
    return row


def touch(session_id: uuid.UUID, seconds: float) -> bool:
    """Record that a session is in use; free of locks, since it decides nothing yet.

    Args:
        session_id: which one.
        seconds: for how long a record that there is already will do.

    Returns:
        whether there was something to record.
    """
    stale = Q(last_seen_at__isnull=True) | Q(
        last_seen_at__lt=db.Now() - timedelta(seconds=seconds)
    )
    live = db.rows().live().filter(stale, pk=session_id)
    return live.update(last_seen_at=db.Now()) == 1


def _set_expiry(
    session_id: object, user_pk: object, lifetime: timedelta, *, at_least: bool
) -> bool:
    try:
        with db.locked({user_pk}) as now:
            row = records.live_row(session_id)
            if row is None:
                return False
            earliest = row.expires_at if at_least else None
            row.expires_at = max(earliest or now, now + lifetime)
            row.save(using=db.database(), update_fields=["expires_at"])
            return True
    except get_user_model().DoesNotExist:
        return False


def _first_serial(user: Any) -> int:
    """An adopted session is older than every login that was recorded."""
    oldest: int | None = db.rows().of(user).aggregate(serial=Min("serial"))["serial"]
    return 1 if oldest is None else oldest - 1
