"""Change live sessions: a new key, adoption, another expiry."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session import policy
from live_single_session.exceptions import PasswordChanged, Terms
from live_single_session.models import UserSession, as_uuid, digest, id_of_key
from live_single_session.registry import (
    cleanup,
    db,
    ending,
    engine,
    eviction,
    installation,
    limits,
    records,
)


def prolong(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Let a session of tokens expire this long from now, unless it expires later.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=True)


def set_lifetime(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Record when a session that has just started expires.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=False)


@sensitive_variables()
def rotate(
    session_id: uuid.UUID,
    user_pk: object,
    old_key: str,
    new_key: str,
    store: Callable[[], None],
) -> str | None:
    """Give a live session a new key, under its user's lock.

    Args:
        session_id: which one.
        user_pk: whose.
        old_key: the key that it was loaded with.
        new_key: the key that it is to have.
        store: stores the session's data under the new key, in the same transaction where
            the engine can.

    Returns:
        the key that the session has from now on, which is another one if another request
        was first to give it a new key; None if the session has ended meanwhile.
    """
    try:
        with db.locked({user_pk}):
            row = records.live_row(session_id)
            if row is None:
                return None
            if row.key_digest != digest(old_key):
                return row.session_key
            if not engine.present_among([old_key]):
                return None  # it was deleted, and storing it would bring it back
            store()
            _change_key(row, old_key, new_key)
            return new_key
    except get_user_model().DoesNotExist:
        return None


@sensitive_variables()
def take_over(row: UserSession, session_key: str) -> bool:
    """Record another key for a live session if the engine has lost the recorded one.

    Returns:
        whether it was recorded.
    """
    with db.locked({row.user_id}):
        current = records.live_row(row.pk)
        if current is None or engine.data_of(current.session_key):
            return False
        _change_key(current, current.session_key, session_key)
    return True


@sensitive_variables()
def _change_key(row: UserSession, old_key: str, new_key: str) -> None:
    """Record a new key; the old one opens nothing from the commit on."""
    row.session_key, row.key_digest = new_key, digest(new_key)
    row.left_digest = digest(old_key)
    row.save(using=db.database(), update_fields=["session_key", "key_digest", "left_digest"])
    using = db.database()
    is_marked = cleanup.mark([old_key], [row])
    if engine.shares_transaction(using):
        gone = engine.delete_rows([old_key], using)
        db.on_commit(engine.forget_cached, gone)
    elif is_marked:
        db.on_commit(engine.forget, old_key)


@sensitive_variables()
def adopt(user: Any, request: HttpRequest) -> UserSession | None:
    """Insert the row of a session from before the installation.

    It never evicts another session: if the limit is reached, it ends itself.

    Returns:
        its row; its id is in ``request.session`` from now on. None if it has ended,
        if a ``LIMIT`` or ``SLOT`` callable raised, or before ``migrate``.
    """
    if not installation.is_installed():
        return None
    try:
        terms = limits.terms_for(user, request)
    except Exception:
        return None  # it is in the log; the session's next request tries again
    session: Any = request.session
    key = session.stored_key  # it may have got a new one in this very request
    if key is None:
        return None
    try:
        with db.locked_user(user.pk) as lock:
            records.check_password(user, lock.user)
            rows = records.read(records.knows(key), user, terms)
            row = next((row for row in rows if _knows(row, key)), None)
            if row is None:
                row = _insert_adopted(user, terms, request, lock, key)
                eviction.evict_adopted(row, rows, terms, lock.now)
    except (get_user_model().DoesNotExist, PasswordChanged):
        return None
    if row.ended_at is not None or row.key_digest != digest(key):
        return None
    session.was_adopted(row)
    return row


@sensitive_variables()
def _knows(row: UserSession, session_key: str) -> bool:
    is_its_key = digest(session_key) in (row.key_digest, row.left_digest)
    return is_its_key or row.pk == id_of_key(session_key)


@sensitive_variables()
def _insert_adopted(
    user: Any, terms: Terms, request: HttpRequest | None, lock: db.Lock, session_key: str
) -> UserSession:
    return records.insert(
        user,
        terms,
        request,
        lock.now,
        records.first_serial(user),
        session=getattr(request, "session", None),
        session_key=session_key,
        session_id=id_of_key(session_key),
    )


@sensitive_variables()
def bury(user: Any, session_key: str, reason: str) -> None:
    """Record the end of a session that has no row, so that it is never adopted.

    A late save may store it again, and without a row its key would open it.
    """
    terms = Terms("", None, policy.END_OLDEST)
    with suppress(get_user_model().DoesNotExist), db.locked_user(user.pk) as lock:
        rows = records.read(records.knows(session_key), user, terms)
        if not rows:
            rows = [_insert_adopted(user, terms, None, lock, session_key)]
        live = [row for row in rows if row.ended_at is None and row.user_id == user.pk]
        ending.end_rows(live, reason, lock.now)  # another request may have adopted it meanwhile


def name_device(row: UserSession) -> bool:
    """Record the name that a user has given the device of a session.

    Returns:
        False if the session has ended meanwhile.
    """
    with suppress(get_user_model().DoesNotExist), db.locked({row.user_id}):
        return db.rows().live().filter(pk=row.pk).update(device=row.device) == 1
    return False


def _set_expiry(
    session_id: object, user_pk: object, lifetime: timedelta, *, at_least: bool
) -> bool:
    try:
        with db.locked({user_pk}) as now:
            row = records.live_row(as_uuid(session_id))
            if row is None:
                return False
            earliest = row.expires_at if at_least else None
            row.expires_at = max(earliest or now, now + lifetime)
            row.save(using=db.database(), update_fields=["expires_at"])
            return True
    except get_user_model().DoesNotExist:
        return False
