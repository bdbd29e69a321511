"""System checks of other packages on the site: caches for whole pages, and tenants."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

from live_single_session.registry import db

Messages = list[checks.CheckMessage]

MIDDLEWARE = "live_single_session.middleware.SingleSessionMiddleware"
KEEPING = (
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.cache.CacheMiddleware",
)


def register() -> None:
    """Register the checks; called when the app is ready."""
    for check in (check_page_cache, check_tenants):
        checks.register(check, checks.Tags.security)


def check_page_cache(**kwargs: Any) -> Messages:
    """W012: a cache for the whole site would keep pages of sessions that end."""
    listed = list(settings.MIDDLEWARE)
    ours = listed.index(MIDDLEWARE) if MIDDLEWARE in listed else len(listed)
    return [
        checks.Warning(
            f"{MIDDLEWARE} must come after {keeping} in MIDDLEWARE.",
            hint="It marks the pages of signed-in users as private: a cache that stands "
            "inside of it keeps them before, and serves them when the session has ended.",
            id="live_single_session.W012",
        )
        for keeping in KEEPING
        if keeping in listed[ours:]
    ]


def check_tenants(databases: Any = None, **kwargs: Any) -> Messages:
    """W013: a websocket might look in the tables of another one's tenant."""
    connection: Any = connections[db.database()]
    is_of_thread = hasattr(connection, "set_tenant") and "tenant" in vars(connection)
    if not is_of_thread or getattr(settings, "ASGI_APPLICATION", None) is None:
        return []
    return [
        checks.Warning(
            "The tenant is kept with the database connection of a thread, which all "
            "websockets of a process share.",
            hint='Put the tenant into scope["tenant"], above SingleSessionMiddlewareStack, '
            "or let the database backend keep it in a context variable.",
            id="live_single_session.W013",
        )
    ]
