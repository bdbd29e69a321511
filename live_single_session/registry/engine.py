"""What the registry asks of the session engine: to forget a session, and whether it has.

Two kinds of engine differ in when they are asked. Rows of Django's ``db`` engine in the
registry's own database are deleted in the registry's transaction, which is final. All
others are cleaned up on commit, since they forget at once what a rollback would have
kept; those of ``live_single_session.backends`` stay ended meanwhile, and ever after.
"""

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DBStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connections,
    router,
)
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

# What a database raises by itself. That no row was there to be updated, Django finds out.
TROUBLE = (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)


def store_class() -> Any:
    """Return the ``SessionStore`` class of ``settings.SESSION_ENGINE``."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def keeps_keys() -> bool:
    """Tell whether a session has a lasting key. A signed cookie *is* its key."""
    return not issubclass(store_class(), CookieStore)


def shares_transaction(using: str) -> bool:
    """Tell whether deleting a session can be part of a transaction on this database."""
    store = store_class()
    return (
        issubclass(store, DBStore)
        and store.load is DBStore.load
        and store.delete is DBStore.delete
        and router.db_for_write(store.get_model_class()) == using
    )


@sensitive_variables()
def delete_rows(session_keys: Iterable[str], using: str) -> set[str]:
    """Delete sessions of an engine that shares the transaction on this database.

    Returns:
        the keys of those that are gone now. A row that somebody else is writing to is left
        alone: that request may be about to wait for the lock that the caller holds.
    """
    keys = set(session_keys)
    rows = store_class().get_model_class()._default_manager.using(using)
    if keys and connections[using].features.has_select_for_update_skip_locked:
        free = rows.filter(session_key__in=keys).select_for_update(skip_locked=True)
        keys = set(free.values_list("session_key", flat=True))
    if keys:
        rows.filter(session_key__in=keys).delete()
    return keys


@sensitive_variables()
def suspect(session_keys: Iterable[str], seconds: float) -> None:
    """Make a fenced cache engine ask the registry about these sessions from now on.

    Args:
        session_keys: the sessions that may have ended.
        seconds: how long the longest of them could have lived.
    """
    mark = getattr(store_class(), "suspect", None)
    if mark is not None:
        mark(session_keys, seconds)


def is_gone(error: UpdateError) -> bool:
    """Tell whether a session was not saved because it is gone, and not for other trouble."""
    return not isinstance(error.__context__, TROUBLE)


def save(session: SessionBase) -> bool:
    """Save a session under the key that it has; False if the engine has forgotten that."""
    try:
        # Not as this request saves it, which may be content with less.
        type(session).save(session)
    except UpdateError as error:
        if not is_gone(error):
            raise
        return False
    return True


@sensitive_variables()
def forget_rows(session_keys: Collection[str], using: str) -> Collection[str]:
    """Delete sessions in one query, if the engine can, once the transaction is over.

    Nothing is locked by then, so that this may wait for whoever is writing to them.

    Returns:
        the keys of those that are gone now; none where the engine can't, or fails.
    """
    if not session_keys or not shares_transaction(using):
        return ()
    try:
        rows = store_class().get_model_class()._default_manager.using(using)
        rows.filter(session_key__in=list(session_keys)).delete()
    except (InterfaceError, OperationalError):
        return ()  # each is tried by itself, and says so
    return session_keys


@sensitive_variables()
def forget(session_key: str) -> None:
    """Delete one session, by the engine's own means."""
    store_class()().delete(session_key)


@sensitive_variables()
def has(session_key: str) -> bool:
    """Tell whether the engine has a session of this key, in whatever state it is."""
    store = store_class()(session_key)
    if isinstance(store, DBStore):
        return bool(_written_rows(store).filter(session_key=session_key).exists())
    return bool(store.exists(session_key))


@sensitive_variables()
def holds(session_key: str, user_pk: object) -> bool:
    """Tell whether the engine still has this session, signed in as this user."""
    store: SessionBase = store_class()(session_key)
    if isinstance(store, DBStore) and type(store).load is DBStore.load:
        return _holds_row(store, session_key, user_pk)
    # The file engine would put a new, empty session in the place of an expired one.
    store.create = lambda: None  # type: ignore[method-assign]
    return bool(store.get(SESSION_KEY) == str(user_pk))


@sensitive_variables()
def _holds_row(store: Any, session_key: str, user_pk: object) -> bool:
    unexpired = _written_rows(store).filter(expire_date__gt=timezone.now())
    row = unexpired.filter(session_key=session_key).first()
    return row is not None and store.decode(row.session_data).get(SESSION_KEY) == str(user_pk)


def _written_rows(store: Any) -> Any:
    """Return the rows where sessions are written: a replica may not have one yet."""
    model = store.get_model_class()
    return model._default_manager.using(router.db_for_write(model))


@sensitive_variables()
def held_among(users: Mapping[str, object], using: str) -> set[str]:
    """Return those of some sessions that the engine still has, in one query if it can.

    Args:
        users: whose they are: primary keys by session keys.
        using: the registry's database.
    """
    store = store_class()
    if not shares_transaction(using):
        # A cache that is away fails when it is asked what exists; what it can't load is empty.
        return {key for key in users if store().exists(key) and holds(key, users[key])}
    rows = store.get_model_class()._default_manager.using(using)
    held = rows.filter(session_key__in=list(users), expire_date__gt=timezone.now())
    return set(held.values_list("session_key", flat=True))
