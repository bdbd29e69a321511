"""System checks of what watches browsers: AWAY_SECONDS and ON_SHARED."""

from typing import Any

from django.conf import settings
from django.core import checks

from live_single_session import policy
from live_single_session.conf import conf

Messages = list[checks.CheckMessage]


def register() -> None:
    """Register the checks; called when the app is ready."""
    checks.register(check_away, checks.Tags.security)
    checks.register(check_shared, checks.Tags.security)


def check_away(**kwargs: Any) -> Messages:
    """E011 and W027: an ``AWAY_SECONDS`` that is too short, or that nothing comes of."""
    try:
        away, recheck = conf.AWAY_SECONDS, conf.RECHECK_SECONDS
    except (AttributeError, TypeError, ValueError):  # E001 or E003 says so
        return []
    if away is None:
        return []
    found: Messages = []
    if away < 3 * recheck:
        found.append(
            checks.Error(
                f"AWAY_SECONDS is {away:g}, less than three times RECHECK_SECONDS "
                f"({recheck:g}).",
                hint="A browser that is there would seem to be gone. Raise AWAY_SECONDS, or "
                "lower RECHECK_SECONDS.",
                id="live_single_session.E011",
            )
        )
    if conf.WEBSOCKET_PATH is None or conf.ON_LIMIT not in (policy.REFUSE, policy.ASK):
        found.append(
            checks.Warning(
                "AWAY_SECONDS lets no session give way.",
                hint="It takes websockets (WEBSOCKET_PATH), and ON_LIMIT to be 'refuse' or "
                "'ask'. Otherwise it only shows on pages who is there.",
                id="live_single_session.W027",
            )
        )
    return found


def check_shared(**kwargs: Any) -> Messages:
    """E012 and W028: an ``ON_SHARED`` that would end innocent sessions, or finds none."""
    if not isinstance(getattr(settings, "LIVE_SINGLE_SESSION", {}), dict):
        return []
    found: Messages = []
    if conf.ON_SHARED == policy.END and settings.SESSION_COOKIE_DOMAIN is not None:
        found.append(
            checks.Error(
                "ON_SHARED is 'end', and the session's cookie is that of several hosts "
                f"(SESSION_COOKIE_DOMAIN is {settings.SESSION_COOKIE_DOMAIN!r}).",
                hint="Another host may hand the cookie on. Let it be of one host only, or "
                "set ON_SHARED to 'observe'.",
                id="live_single_session.E012",
            )
        )
    if conf.ON_SHARED != policy.IGNORE and conf.WEBSOCKET_PATH is None:
        found.append(
            checks.Warning(
                "ON_SHARED finds nothing without websockets.",
                hint="Set WEBSOCKET_PATH, or ON_SHARED to 'ignore'.",
                id="live_single_session.W028",
            )
        )
    return found
