"""System check of the session engine. It never stops ``migrate``."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core import checks

from live_single_session.backends.fence import Fence

Messages = list[checks.CheckMessage]


def register() -> None:
    """Register the checks; called when the app is ready."""
    checks.register(check_engine, checks.Tags.security)
    checks.register(check_engine_with_databases, checks.Tags.security, deploy=True)


def check_engine(databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """E005: a session engine that opens sessions which have ended.

    ``migrate`` runs all checks, and names its database. It has to work with any engine:
    a site may have gone back to one of Django's, to take the package out.
    """
    return [] if databases else _problems()


def check_engine_with_databases(
    databases: Iterable[str] | None = None, **kwargs: Any
) -> Messages:
    """E005 for ``check --deploy --database``, which looks like ``migrate`` to the check above."""
    return _problems() if databases else []


def _problems() -> Messages:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, Fence):
        return []
    django, _, name = settings.SESSION_ENGINE.rpartition(".")
    hint = (
        f"Use 'live_single_session.backends.{name}': whoever is signed in stays so."
        if django == "django.contrib.sessions.backends"
        else "Put live_single_session.backends.fence.Fence in front of it."
    )
    return [
        checks.Error(
            f"The session engine {settings.SESSION_ENGINE!r} lets ended sessions live on.",
            hint=hint,
            id="live_single_session.E005",
        )
    ]
