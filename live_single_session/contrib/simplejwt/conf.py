"""The settings of tokens; no other module reads ``LIVE_SINGLE_SESSION_JWT``.

They are read when they are used. An invalid value is reported by the system checks, and
raises here as well, so that a spelling mistake never lets anybody in.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SETTING = "LIVE_SINGLE_SESSION_JWT"

REFUSE = "refuse"
ACCEPT = "accept"

DEFAULTS: dict[str, Any] = {
    "TOKENS_WITHOUT_SID": REFUSE,
    "WEBSOCKET_QUERY_PARAMETER": None,
}


class Conf:
    """The settings of tokens, as attributes."""

    @property
    def accepts_tokens_without_sid(self) -> bool:
        """Whether tokens without ``sid`` are accepted until they expire."""
        return bool(_get("TOKENS_WITHOUT_SID") == ACCEPT)

    @property
    def websocket_query_parameter(self) -> str | None:
        """The query parameter of websockets that may hold a token; ``None``: none may."""
        name: str | None = _get("WEBSOCKET_QUERY_PARAMETER")
        return name


def fits(key: str, value: Any) -> bool:
    """Tell whether a key can have this value."""
    if key == "TOKENS_WITHOUT_SID":
        return value in (REFUSE, ACCEPT)
    return value is None or (isinstance(value, str) and value != "")


def _get(key: str) -> Any:
    value = getattr(settings, SETTING, {}).get(key, DEFAULTS[key])
    if not fits(key, value):
        raise ImproperlyConfigured(f"{SETTING}[{key!r}] can't be {value!r}.")
    return value


conf = Conf()
