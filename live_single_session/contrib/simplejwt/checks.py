"""System checks of ``LIVE_SINGLE_SESSION_JWT``."""

from typing import Any

from django.core import checks

from live_single_session.checks.settings import Messages, Rule, check_dict
from live_single_session.contrib.simplejwt.conf import DEFAULTS, SETTING, fits

RULES = {
    "TOKENS_WITHOUT_SID": Rule(lambda v: fits("TOKENS_WITHOUT_SID", v), "'refuse' or 'accept'"),
    "WEBSOCKET_QUERY_PARAMETER": Rule(
        lambda v: fits("WEBSOCKET_QUERY_PARAMETER", v), "None or the name of a query parameter"
    ),
}


def register() -> None:
    """Register the check; called when the app is ready."""
    checks.register(check_settings, checks.Tags.security)


def check_settings(**kwargs: Any) -> Messages:
    """E101 to E103: an unknown key, or an invalid value."""
    return check_dict(SETTING, DEFAULTS, RULES, first_id=101)
