"""System checks for production, run by ``manage.py check --deploy``."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.utils.module_loading import import_string

from live_single_session import confirm, policy
from live_single_session.conf import conf
from live_single_session.registry import db, installation
from live_single_session.site_urls import not_you_url, status_url

Messages = list[checks.CheckMessage]

PER_PROCESS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)


def register() -> None:
    """Register the checks; called when the app is ready."""
    for check in (
        check_cache,
        check_proxy,
        check_urls,
        check_help,
        check_observing,
        check_tables,
        check_tries,
    ):
        checks.register(check, checks.Tags.security, deploy=True)


def check_cache(**kwargs: Any) -> Messages:
    """W020: each process would have its own cache of sessions and of ended sessions."""
    alias = settings.SESSION_CACHE_ALIAS
    backend = settings.CACHES.get(alias, {}).get("BACKEND", PER_PROCESS[0])
    if "cache" not in settings.SESSION_ENGINE or not _is_per_process(backend):
        return []
    return [
        checks.Warning(
            f"Sessions are cached in {backend}, which no two processes share.",
            hint="A session that ends in one process may live on in another. Let "
            f"CACHES[{alias!r}] be Redis or Memcached.",
            id="live_single_session.W020",
        )
    ]


def _is_per_process(backend: str) -> bool:
    found = import_string(backend)
    return any(issubclass(found, import_string(path)) for path in PER_PROCESS)


def check_proxy(**kwargs: Any) -> Messages:
    """W021: the registry would record the proxy's address instead of the users'."""
    behind_proxy = settings.SECURE_PROXY_SSL_HEADER or settings.USE_X_FORWARDED_HOST
    if not behind_proxy or conf.CLIENT_IP is not None or not conf.RECORD_CLIENT:
        return []
    return [
        checks.Warning(
            "The site is behind a proxy, whose address is recorded for all users.",
            hint='Set LIVE_SINGLE_SESSION["CLIENT_IP"] to a function that reads the header '
            "which your proxy sets, and which it doesn't take over from clients.",
            id="live_single_session.W021",
        )
    ]


def check_urls(**kwargs: Any) -> Messages:
    """W022: the package's URLs are missing, so tabs can't ask over HTTP."""
    if status_url() is not None:
        return []
    return [
        checks.Warning(
            "The package's URLs are not included in the site's.",
            hint='Add path("session/", include("live_single_session.urls")): without it, '
            "tabs aren't notified where websockets are blocked, and users have no page "
            "to see where they are signed in.",
            id="live_single_session.W022",
        )
    ]


def check_help(**kwargs: Any) -> Messages:
    """W023: the "not you" link for users who did not make the new sign-in leads nowhere."""
    url = conf.NOT_YOU_URL
    if url is None or not_you_url() is not None:
        return []
    return [
        checks.Warning(
            f'LIVE_SINGLE_SESSION["NOT_YOU_URL"] is {url!r}: the site has no such page.',
            hint="Users whose password somebody else knows are shown this link. Name the "
            "page on which they reset it, or None for no link.",
            id="live_single_session.W023",
        )
    ]


def check_observing(**kwargs: Any) -> Messages:
    """W024: with "observe", no session ends."""
    if conf.ON_LIMIT != policy.OBSERVE:
        return []
    return [
        checks.Warning(
            'LIVE_SINGLE_SESSION["ON_LIMIT"] is "observe": no session ends.',
            hint='Once the log shows what you expect, set it to "end_oldest".',
            id="live_single_session.W024",
        )
    ]


def check_tables(databases: Any = None, **kwargs: Any) -> Messages:
    """W025: ``migrate`` has not been run. This check makes a query, the others make none."""
    if hasattr(connections[db.database()], "set_tenant"):  # each tenant has its own tables
        return []
    try:
        if installation.tables_exist():
            return []
    except (DatabaseError, ImproperlyConfigured):  # no database here: a build, for instance
        return []
    return [
        checks.Warning(
            "The tables of live_single_session are missing: no session is limited or ended.",
            hint="Run manage.py migrate.",
            id="live_single_session.W025",
        )
    ]


def check_tries(**kwargs: Any) -> Messages:
    """W026: each process would count by itself how often a password is guessed."""
    backend = settings.CACHES.get("default", {}).get("BACKEND", PER_PROCESS[0])
    if conf.CONFIRM is not confirm.password or not _is_per_process(backend):
        return []
    return [
        checks.Warning(
            f"Guesses of a password that confirms are counted in {backend}, which no two "
            "processes share.",
            hint="Let CACHES['default'] be Redis or Memcached.",
            id="live_single_session.W026",
        )
    ]
