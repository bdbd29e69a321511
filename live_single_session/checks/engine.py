"""System check of the session engine. It never stops ``migrate``."""

import sys
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core import checks

from live_single_session.backends.fence import Fence

Messages = list[checks.CheckMessage]


def register() -> None:
    """Register the check; called when the app is ready."""
    checks.register(check_engine, checks.Tags.security)


def check_engine(**kwargs: Any) -> Messages:
    """E005: a session engine that opens sessions which have ended."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, Fence) or _is_migrating():
        return []
    django, _, name = settings.SESSION_ENGINE.rpartition(".")
    hint = (
        f"Use 'live_single_session.backends.{name}': users stay signed in."
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


def _is_migrating() -> bool:
    """Tell whether this process is ``manage.py migrate``, or ``migrate_schemas``.

    It has to work with any engine: a site may have gone back to one of Django's, to take
    the package out. Django doesn't tell a check which command has called it.
    """
    return "".join(sys.argv[1:2]).startswith("migrate")
