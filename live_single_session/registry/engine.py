"""What the registry asks of the session engine, which it finds by ``SESSION_ENGINE``.

If the engine keeps its sessions in a table of the registry's database, they are deleted in
the registry's transaction. Other engines can't roll a deletion back, so they delete on
commit. No guarantee depends on that: a session opens only while its row is live.
"""

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DBStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections, router
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.registry import statements


def store_class() -> Any:
    """Return the ``SessionStore`` class of ``settings.SESSION_ENGINE``."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def is_gated(store: Any) -> bool:
    """Tell whether a session, or its class, opens live sessions only."""
    return hasattr(store, "row_id")


def keeps_keys(store: Any = None) -> bool:
    """Tell whether sessions have a lasting key. A signed cookie *is* its key."""
    return not issubclass(store or store_class(), CookieStore)


def has_rows(store: Any) -> bool:
    """Tell whether the engine keeps sessions in a table, and never brings a row back."""
    return issubclass(store, DBStore) and getattr(store, "keeps_rows", False)


def shares_transaction(using: str) -> bool:
    """Tell whether deleting a session can be part of a transaction on this database."""
    store = store_class()
    return has_rows(store) and router.db_for_write(store.get_model_class()) == using


@sensitive_variables()
def delete_rows(session_keys: Collection[str], using: str) -> set[str]:
    """Delete sessions of an engine that shares the transaction on this database.

    Returns:
        the keys of those that are gone now. A row that somebody else is writing to is left
        alone: that request may be about to wait for the lock that the caller holds.
    """
    keys = set(session_keys)
    if not keys:
        return keys
    rows = store_class().get_model_class()._default_manager.using(using)
    connection = connections[using]
    if connection.vendor == "postgresql":
        return statements.delete_free_sessions(rows.model, keys, connection)
    if connection.features.has_select_for_update_skip_locked:
        free = rows.filter(session_key__in=keys).select_for_update(skip_locked=True)
        keys = set(free.values_list("session_key", flat=True))
    if keys:
        rows.filter(session_key__in=keys).delete()
    return keys


@sensitive_variables()
def mark(session_keys: Iterable[str], seconds: float) -> None:
    """Make a cache engine ask the registry about these keys from now on.

    Args:
        session_keys: the keys that may have become invalid.
        seconds: how long the longest of their sessions could have lived.
    """
    marker = getattr(store_class(), "mark", None)
    if marker is not None:
        marker(session_keys, seconds)


@sensitive_variables()
def forget(session_key: str) -> None:
    """Delete the data of one session, by the engine's own means."""
    store = store_class()()
    getattr(store, "forget", store.delete)(session_key)


@sensitive_variables()
def forget_cached(session_keys: Collection[str]) -> None:
    """Delete what a cache holds of sessions whose rows are deleted."""
    forgetter = getattr(store_class(), "forget_cached", None)
    if forgetter is not None:
        forgetter(session_keys)


@sensitive_variables()
def data_of(session_key: str) -> dict[str, Any]:
    """Return what the engine has stored under a key, whether or not that opens anything."""
    store = store_class()
    if has_rows(store):
        return _data_of_row(store, session_key)
    session = store(session_key)
    # The file engine would create an empty session in place of an expired one.
    session.create = lambda: None
    data: dict[str, Any] = getattr(session, "peek", session.load)()
    return data


@sensitive_variables()
def _data_of_row(store: Any, session_key: str) -> dict[str, Any]:
    row = _written_rows(store).filter(session_key=session_key).first()
    if row is None or row.expire_date <= timezone.now():
        return {}
    data: dict[str, Any] = store().decode(row.session_data)
    return data


@sensitive_variables()
def holds(session_key: str, user_pk: object) -> bool:
    """Tell whether the engine still has this session, signed in as this user.

    Not whether Django takes its hash for the user's: just after a change of password that of
    the session in which it was changed is the old one.
    """
    return bool(data_of(session_key).get(SESSION_KEY) == str(user_pk))


def _written_rows(store: Any) -> Any:
    """Return the rows where sessions are written: a replica may not have one yet."""
    model = store.get_model_class()
    return model._default_manager.using(router.db_for_write(model))


@sensitive_variables()
def held_among(users: Mapping[str, object]) -> set[str]:
    """Return those of some sessions that the engine still has, in one query if it can.

    Args:
        users: whose they are: primary keys by session keys.
    """
    store = store_class()
    if not has_rows(store):
        # A cache that is away fails when it is asked what exists; what it can't load is empty.
        return {key for key in users if store().exists(key) and holds(key, users[key])}
    held = _written_rows(store).filter(
        session_key__in=list(users), expire_date__gt=timezone.now()
    )
    return set(held.values_list("session_key", flat=True))


def answers_for_all() -> bool:
    """Tell whether a session that the engine doesn't have is gone, for every process."""
    store = store_class()
    if not keeps_keys(store):
        return False
    if has_rows(store):
        return True
    if hasattr(store, "mark"):
        cache = caches[settings.SESSION_CACHE_ALIAS]
        return not isinstance(cache, LocMemCache | DummyCache)
    return True


@sensitive_variables()
def present_among(session_keys: Collection[str]) -> set[str]:
    """Return those of some keys under which the engine has anything, in one batch if it can."""
    store = store_class()
    if has_rows(store):
        rows = _written_rows(store).filter(session_key__in=list(session_keys))
        return set(rows.values_list("session_key", flat=True))
    finder = getattr(store, "present_among", None)
    if finder is not None:
        return set(finder(session_keys))
    return {key for key in session_keys if store().exists(key)}
