"""The package's settings; no other module reads ``settings.LIVE_SINGLE_SESSION``.

Every property is read when it is used, so that ``override_settings`` works.
Values are validated by the system checks (``live_single_session.checks.settings``), not here.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

Seconds = float | None | Callable[[Any, HttpRequest | None], float | None]

Limit = int | None | Callable[[Any, HttpRequest | None, str], int | None]
Confirm = Callable[[HttpRequest, Any, str], HttpResponse | None]

MOST_ACTIVITY_SECONDS = 60.0  # between two records of use, where IDLE_SECONDS needs them

DEFAULTS: dict[str, Any] = {
    "LIMIT": 1,
    "ON_LIMIT": "end_oldest",
    "SLOT": None,
    "RECHECK_SECONDS": 30,
    "PUSH_TIMEOUT_SECONDS": 2,
    "WEBSOCKET_PATH": "/ws/live-single-session/",
    "CLIENT_IP": None,
    "RECORD_CLIENT": True,
    "DISCLOSE": ("device", "time"),
    "ACTIVITY_SECONDS": None,
    "IDLE_SECONDS": None,
    "LIFETIME_SECONDS": None,
    "WARN_SECONDS": 60,
    "CONFIRM": None,
    "CONFIRM_SECONDS": 300,
    "AWAY_SECONDS": None,
    "ON_SHARED": "ignore",
    "KEEP_ENDED_DAYS": 90,
    "NOT_YOU_URL": "password_reset",
}


def provide() -> None:
    """Let the setting be there: to look for one that is missing takes five times as long."""
    if not hasattr(settings, "LIVE_SINGLE_SESSION"):
        settings.LIVE_SINGLE_SESSION = {}


def _get(key: str) -> Any:
    return getattr(settings, "LIVE_SINGLE_SESSION", {}).get(key, DEFAULTS[key])


def _imported(value: Any) -> Any:
    return import_string(value) if isinstance(value, str) else value


class Conf:
    """The package's settings, as attributes."""

    @property
    def LIMIT(self) -> Limit:
        """How many live sessions a user may have in one slot; ``None``: no limit."""
        limit: Limit = _imported(_get("LIMIT"))
        return limit

    @property
    def ON_LIMIT(self) -> str:
        """What a login over the limit does: end_oldest, refuse, ask or observe."""
        return str(_get("ON_LIMIT"))

    @property
    def SLOT(self) -> Callable[[Any, HttpRequest | None], str] | None:
        """Return the slot that a login counts in; ``None``: all logins share one slot."""
        slot: Callable[[Any, HttpRequest | None], str] | None = _imported(_get("SLOT"))
        return slot

    @property
    def RECHECK_SECONDS(self) -> float:
        """How often the sessions of open sockets are checked in the registry."""
        return float(_get("RECHECK_SECONDS"))

    @property
    def PUSH_TIMEOUT_SECONDS(self) -> float:
        """The longest that notifying tabs may delay a login."""
        return float(_get("PUSH_TIMEOUT_SECONDS"))

    @property
    def WEBSOCKET_PATH(self) -> str | None:
        """Where the consumer listens, below the script's prefix; ``None``: tabs poll."""
        path: str | None = _get("WEBSOCKET_PATH")
        return path

    @property
    def CLIENT_IP(self) -> Callable[[HttpRequest], str | None] | None:
        """Return the address of a client; ``None``: use ``REMOTE_ADDR``."""
        client_ip: Callable[[HttpRequest], str | None] | None = _imported(_get("CLIENT_IP"))
        return client_ip

    @property
    def RECORD_CLIENT(self) -> bool:
        """Whether the registry records IP address and user agent."""
        return bool(_get("RECORD_CLIENT"))

    @property
    def DISCLOSE(self) -> frozenset[str]:
        """What an ended tab is told about the login that ended it."""
        return frozenset(_get("DISCLOSE"))

    @property
    def ACTIVITY_SECONDS(self) -> float | None:
        """``last_seen_at`` is written at most this often; ``None``: never.

        Where only ``IDLE_SECONDS`` is set: a tenth of that, and at most a minute.
        """
        seconds, idle = _get("ACTIVITY_SECONDS"), _get("IDLE_SECONDS")
        if seconds is None and idle is not None:
            is_number = isinstance(idle, int | float)
            seconds = (
                min(idle / 10, MOST_ACTIVITY_SECONDS) if is_number else MOST_ACTIVITY_SECONDS
            )
        return None if seconds is None else float(seconds)

    @property
    def IDLE_SECONDS(self) -> Seconds:
        """After how many seconds without use a session ends; ``None``: never."""
        seconds: Seconds = _imported(_get("IDLE_SECONDS"))
        return seconds

    @property
    def LIFETIME_SECONDS(self) -> Seconds:
        """How many seconds after its sign-in a session ends; ``None``: never."""
        seconds: Seconds = _imported(_get("LIFETIME_SECONDS"))
        return seconds

    @property
    def WARN_SECONDS(self) -> float:
        """How many seconds before one of these limits the tabs of a session are warned."""
        return float(_get("WARN_SECONDS"))

    @property
    def CONFIRM(self) -> Confirm | None:
        """Asked before a user ends other sessions or takes over; ``None``: nobody is."""
        confirm: Confirm | None = _imported(_get("CONFIRM"))
        return confirm

    @property
    def CONFIRM_SECONDS(self) -> float:
        """For how long a confirmation holds."""
        return float(_get("CONFIRM_SECONDS"))

    @property
    def AWAY_SECONDS(self) -> float | None:
        """For how long a browser must be gone for its session to give way; ``None``: never."""
        seconds = _get("AWAY_SECONDS")
        return None if seconds is None else float(seconds)

    @property
    def ON_SHARED(self) -> str:
        """What happens to a session that two browsers use: ignore, observe or end."""
        return str(_get("ON_SHARED"))

    @property
    def KEEP_ENDED_DAYS(self) -> int:
        """How many days ``prune_sessions`` keeps the rows of ended sessions."""
        return int(_get("KEEP_ENDED_DAYS"))

    @property
    def NOT_YOU_URL(self) -> str | None:
        """The page for users who did not make the new sign-in themselves; ``None``: no link."""
        url: str | None = _get("NOT_YOU_URL")
        return url


conf = Conf()
