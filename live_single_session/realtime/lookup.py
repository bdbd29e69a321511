"""Look things up for an ASGI connection, where its tenant looks.

With django-tenants, and what works alike, each tenant has tables of its own. Which tenant a
connection belongs to is in ``scope["tenant"]``, in a context variable, or with the database
connection of its thread.
"""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asgiref.sync import SyncToAsync, sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError, connections
from django.db.utils import load_backend

from live_single_session.django_internals import loaded_data
from live_single_session.realtime.asgi import Scope, required
from live_single_session.registry import db
from live_single_session.session_status import SessionStatus, cookie_digest, own_id, status_of


@dataclass(frozen=True, eq=False)
class Place:
    """Where the registry of one connection is.

    Attributes:
        using: the alias of its database.
        tenant: the tenant that this database is set to, if it knows of any.
        context: the connection's context, but for its thread, which may end before.
    """

    using: str
    tenant: Any
    context: contextvars.Context

    @property
    def key(self) -> tuple[str, str | None]:
        """The same for connections that look in the same place, as far as that is known."""
        return self.using, getattr(self.tenant, "schema_name", None)

    def is_surely(self, other: "Place") -> bool:
        """Tell whether both are one place, and not two of tenants whom nobody knows of."""
        is_known = self.key[1] is not None or not settings.DATABASE_ROUTERS
        return self is other or (is_known and self.key == other.key)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that queries this place; in a thread for queries."""
        return _in_tenant(self.using, self.tenant, function, *args)


async def place_of(tenant: object = None) -> Place:
    """Return where the connection that this runs for looks.

    Args:
        tenant: its tenant, where that is known.
    """
    using = db.database()
    if not _has_tenants(connections.settings[using]["ENGINE"]):
        tenant = None
    elif not hasattr(tenant, "schema_name"):
        tenant = await sync_to_async(_current_tenant)(using)
    if tenant is None and not settings.DATABASE_ROUTERS:
        return _only_place(using)
    context = contextvars.copy_context()
    context.run(SyncToAsync.thread_sensitive_context.set, None)  # type: ignore[arg-type]
    return Place(using, tenant, context)


@lru_cache(maxsize=64)
def _has_tenants(database_engine: str) -> bool:
    # Not by ``connections``, which would make and keep a wrapper for each connection of ours.
    return hasattr(load_backend(database_engine).DatabaseWrapper, "set_tenant")


@lru_cache(maxsize=64)
def _only_place(using: str) -> Place:
    """Return the place where all look: an idle connection must stay cheap."""
    return Place(using, None, contextvars.Context())


async def in_place(place: Place, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that queries a place, in a thread and for nobody's connection."""
    # Where no tenants are: not in the context of the connection that happens to be first.
    context = place.context.copy() if settings.DATABASE_ROUTERS else contextvars.Context()
    # Closes connections to the database that have become unusable, unlike the registry's own.
    asking = database_sync_to_async(place.run)(function, *args)
    task = asyncio.create_task(asking, context=context)
    try:
        return await task
    finally:
        task.cancel()


async def look_up(scope: Scope, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function that queries the database for a connection, in a thread."""
    tenant = scope.get("tenant")
    return await database_sync_to_async(_in_tenant)(db.database(), tenant, function, *args)


async def find_status(scope: Scope, page: str | None = None) -> SessionStatus:
    """Find out where the browser behind a connection stands.

    A registry that can't be asked ends nobody: the engine has let the session in, and the
    watcher goes on to ask.
    """
    session, user = required(scope, "session"), required(scope, "user")
    digest = cookie_digest(scope.get("cookies", {}))
    try:
        found: SessionStatus = await look_up(scope, status_of, session, user, digest, page)
    except DatabaseError:
        data = loaded_data(session) or {}
        own = own_id(data, user)
        return SessionStatus(own, None if own is None else data.get(SESSION_KEY, user.pk))
    return found


def _in_tenant(using: str, tenant: object, function: Callable[..., Any], *args: Any) -> Any:
    connection: Any = connections[using]
    if not hasattr(tenant, "schema_name") or not hasattr(connection, "set_tenant"):
        return function(*args)
    before = connection.tenant
    connection.set_tenant(tenant)
    try:
        return function(*args)
    finally:
        if before is None:
            connection.set_schema_to_public()
        else:
            connection.set_tenant(before)


def _current_tenant(using: str) -> Any:
    connection: Any = connections[using]
    return connection.tenant
