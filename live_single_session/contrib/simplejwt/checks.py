"""System checks: what is wrong with ``LIVE_SINGLE_SESSION_JWT``."""

import difflib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks

from live_single_session.contrib.simplejwt.conf import DEFAULTS, SETTING, fits

_WANTED = {
    "TOKENS_WITHOUT_SID": "'refuse' or 'accept'",
    "WEBSOCKET_QUERY_PARAMETER": "None or the name of a query parameter",
}


def register() -> None:
    """Register the checks; called when the app is ready."""
    checks.register(check_settings, checks.Tags.security)


def check_settings(**kwargs: Any) -> list[checks.CheckMessage]:
    """E101 to E103: a value that the room can't work with."""
    values = getattr(settings, SETTING, {})
    if not isinstance(values, dict):
        text = f"{SETTING} must be a dict."
        return [checks.Error(text, id="live_single_session.E101")]
    return [*_unknown_keys(values), *_wrong_values({**DEFAULTS, **values})]


def _unknown_keys(values: dict[str, Any]) -> Iterator[checks.CheckMessage]:
    for key in values.keys() - DEFAULTS.keys():
        near = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1, cutoff=0)
        yield checks.Error(
            f"{SETTING} has no key {key!r}.",
            hint=f"Did you mean {near[0]!r}?",
            id="live_single_session.E102",
        )


def _wrong_values(values: dict[str, Any]) -> Iterator[checks.CheckMessage]:
    for key, wanted in _WANTED.items():
        if not fits(key, values[key]):
            yield checks.Error(
                f"{SETTING}[{key!r}] is {values[key]!r}.",
                hint=f"It must be {wanted}.",
                id="live_single_session.E103",
            )
