"""System checks of the installation: middleware, channel layer, database, URLs."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections
from django.utils.module_loading import import_string

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.realtime.layer import make_layer
from live_single_session.registry import db
from live_single_session.site_urls import choose_url, status_url

Messages = list[checks.CheckMessage]

SETTING = "LIVE_SINGLE_SESSION"
MIDDLEWARE = "live_single_session.middleware.SingleSessionMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
ENOUGH_CAPACITY = 1000  # messages: what a burst of sign-ins in one second needs
IN_MEMORY = "channels.layers.InMemoryChannelLayer"


def register() -> None:
    """Register the checks; called when the app is ready."""
    for check in (
        check_middleware,
        check_layer,
        check_polling,
        check_isolation,
        check_sqlite,
        check_choice,
    ):
        checks.register(check, checks.Tags.security)


def check_middleware(**kwargs: Any) -> Messages:
    """W001, W002 and W010: the middleware is missing, or in the wrong place."""
    listed = list(settings.MIDDLEWARE)
    ours = _position(MIDDLEWARE, listed)
    if ours is None:
        return [
            checks.Warning(
                f"{MIDDLEWARE} is not in MIDDLEWARE.",
                hint=f"Add it behind {AUTHENTICATION}: without it, nobody is told why a "
                "session ended, and a sign-in that is refused is an error.",
                id="live_single_session.W001",
            )
        ]
    found: Messages = [
        checks.Warning(
            f"{MIDDLEWARE} must come after {other} in MIDDLEWARE.",
            hint="Move it down the list.",
            id="live_single_session.W002",
        )
        for other in (AUTHENTICATION, MESSAGES)
        if (_position(other, listed) or 0) > ours
    ]
    remote = _position(REMOTE_USER, listed)
    if remote is not None and remote < ours and conf.ON_LIMIT in (policy.REFUSE, policy.ASK):
        found.append(
            checks.Warning(
                f"{MIDDLEWARE} must come before {listed[remote]} in MIDDLEWARE.",
                hint="It has to answer the sign-ins that are refused there; else they fail.",
                id="live_single_session.W010",
            )
        )
    return found


def _position(path: str, listed: list[str]) -> int | None:
    """Return the position of a middleware, or of a subclass of it."""
    wanted = import_string(path)
    for position, candidate in enumerate(listed):
        found = import_string(candidate)
        if found is wanted or (isinstance(found, type) and issubclass(found, wanted)):
            return position
    return None


def check_layer(**kwargs: Any) -> Messages:
    """W003 to W005, W008 and W011: tabs would be told late, or not by every process."""
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default")
    if layer is None:
        if not _has_websocket():
            return []
        return [
            checks.Warning(
                "There is no default channel layer in CHANNEL_LAYERS.",
                hint="Without one, tabs learn only at their next re-check that their session "
                "has ended. Configure channels_redis.",
                id="live_single_session.W003",
            )
        ]
    if layer.get("BACKEND") == IN_MEMORY and not settings.DEBUG:
        return [
            checks.Warning(
                "The in-memory channel layer reaches the tabs of its own process only.",
                hint="Configure channels_redis if there is more than one process.",
                id="live_single_session.W004",
            )
        ]
    try:
        made = make_layer()
    except Exception as error:
        return [
            checks.Warning(
                f"The channel layer can't be made: {type(error).__name__}: {error}",
                hint="Tabs learn only by their re-check that their session has ended. "
                "Correct CHANNEL_LAYERS['default'].",
                id="live_single_session.W011",
            )
        ]
    return list(_lossy_redis(made))


def _lossy_redis(layer: Any) -> Iterator[checks.CheckMessage]:
    """W005 and W008: settings of ``channels_redis.core`` with which messages are lost."""
    blocking_read = getattr(type(layer), "brpop_timeout", None)
    if blocking_read is None:
        return
    timeouts = [_socket_timeout(layer, index) for index in range(len(layer.hosts))]
    if any(timeout is not None and timeout <= blocking_read for timeout in timeouts):
        yield checks.Warning(
            "The socket_timeout of the channel layer's Redis is no longer than its blocking "
            f"read of {blocking_read} s, so that every idle websocket of this site times out.",
            hint='Give the host as {"address": "redis://…", "socket_timeout": 30}. '
            "redis-py 8 made 5 seconds the default.",
            id="live_single_session.W005",
        )
    if layer.get_capacity("specific.process!") < ENOUGH_CAPACITY:
        yield checks.Warning(
            f"The channel layer keeps {layer.capacity} messages for a process and drops the "
            "others silently: in a burst of sign-ins, tabs learn only at their next re-check.",
            hint=f'Set its "capacity" to {ENOUGH_CAPACITY} or more, or use '
            "channels_redis.pubsub.RedisPubSubChannelLayer, which has no such limit.",
            id="live_single_session.W008",
        )


def _socket_timeout(layer: Any, index: int) -> float | None:
    timeout: float | None = layer.create_pool(index).make_connection().socket_timeout
    return timeout


def check_polling(**kwargs: Any) -> Messages:
    """W030: without a websocket, tabs have nothing to ask either."""
    if _has_websocket() or status_url() is not None:
        return []
    return [
        checks.Warning(
            f"{SETTING}['WEBSOCKET_PATH'] is None, and the package's URLs are not included "
            "in the site's: open tabs learn nothing until their next request.",
            hint='Add path("session/", include("live_single_session.urls")) to the URLs.',
            id="live_single_session.W030",
        )
    ]


def _has_websocket() -> bool:
    values = getattr(settings, SETTING, {})
    return not isinstance(values, dict) or values.get("WEBSOCKET_PATH", "") is not None


def check_isolation(databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """E006: a decision would be made by what was true when its transaction began."""
    connection = connections[db.database()]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        level = options.get("isolation_level", IsolationLevel.READ_COMMITTED)
        is_right = level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    elif connection.vendor == "mysql":
        level = options.get("isolation_level", "read committed")
        is_right = str(level).lower() in ("read committed", "read uncommitted")
    else:
        return []
    if is_right:
        return []
    return [
        checks.Error(
            f"The isolation level of database {db.database()!r} is {level!r}.",
            hint="Remove OPTIONS['isolation_level']: Django's default, read committed, is "
            "the one by which two sign-ins at once see each other.",
            id="live_single_session.E006",
        )
    ]


def check_sqlite(databases: Iterable[str] | None = None, **kwargs: Any) -> Messages:
    """W007: SQLite locks the database too late inside ATOMIC_REQUESTS."""
    connection = connections[db.database()]
    config = connection.settings_dict
    mode = str(config.get("OPTIONS", {}).get("transaction_mode", "")).upper()
    if connection.vendor != "sqlite" or not config.get("ATOMIC_REQUESTS"):
        return []
    if mode in ("IMMEDIATE", "EXCLUSIVE"):
        return []
    return [
        checks.Warning(
            "SQLite with ATOMIC_REQUESTS fails two sign-ins at once: database is locked.",
            hint="Set OPTIONS['transaction_mode'] = 'IMMEDIATE' for this database.",
            id="live_single_session.W007",
        )
    ]


def check_choice(**kwargs: Any) -> Messages:
    """W009: the URLs lack the page that asks the user."""
    values = getattr(settings, SETTING, {})
    asks = isinstance(values, dict) and values.get("ON_LIMIT") == policy.ASK
    if not asks or choose_url() is not None:
        return []
    return [
        checks.Warning(
            f"{SETTING}['ON_LIMIT'] is 'ask', but the site has no page to ask on: "
            "sign-ins over the limit are refused.",
            hint='Add path("session/", include("live_single_session.urls")) to the URLs.',
            id="live_single_session.W009",
        )
    ]
