"""System checks of the settings: E001 to E004, E007; ``check_dict`` for ``contrib``."""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from live_single_session import policy
from live_single_session.conf import DEFAULTS

Messages = list[checks.CheckMessage]

SETTING = "LIVE_SINGLE_SESSION"

MODES = (policy.END_OLDEST, policy.REFUSE, policy.ASK, policy.OBSERVE)
SHARED = (policy.IGNORE, policy.OBSERVE, policy.END)
DISCLOSED = ("device", "time", "ip")
# Seconds of a warning. WCAG 2.2, success criterion 2.2.1, asks for as many to extend a limit.
LEAST_WARNING = 20


@dataclass(frozen=True)
class Rule:
    """What a key of a settings dict must be.

    Attributes:
        fits: tells whether a value is valid.
        wanted: the valid values in words, for the hint.
        is_path: whether a string is the dotted path of a callable.
        arguments: what that is called with.
    """

    fits: Callable[[Any], bool]
    wanted: str
    is_path: bool = False
    arguments: tuple[str, ...] = ()


def register() -> None:
    """Register the check; called when the app is ready."""
    checks.register(check_settings, checks.Tags.security)
    checks.register(check_warning, checks.Tags.security)


def check_settings(**kwargs: Any) -> Messages:
    """E001 to E004: a value that the package can't work with."""
    return check_dict(SETTING, DEFAULTS, RULES, first_id=1)


def check_warning(**kwargs: Any) -> Messages:
    """E007: the warning would be there as soon as somebody stops typing."""
    given = getattr(settings, SETTING, {})
    values = {**DEFAULTS, **given} if isinstance(given, dict) else DEFAULTS
    warning = values["WARN_SECONDS"]
    return [
        checks.Error(
            f"{SETTING}['WARN_SECONDS'] is {warning!r}, and {key!r} is {values[key]!r}.",
            hint="A session must go on for longer than its tabs are warned.",
            id="live_single_session.E007",
        )
        for key in ("IDLE_SECONDS", "LIFETIME_SECONDS")
        if _is_seconds(values[key]) and _is_seconds(warning) and values[key] <= warning
    ]


def check_dict(
    name: str, defaults: Mapping[str, Any], rules: Mapping[str, Rule], first_id: int
) -> Messages:
    """Check a setting that is a dict.

    Args:
        name: the setting.
        defaults: its keys, with their default values.
        rules: the valid values of each key.
        first_id: the number of the first of four errors: no dict, an unknown key, an
            invalid value, a dotted path that can't be used.

    Returns:
        the errors, none if all is well.
    """
    values = getattr(settings, name, {})
    if not isinstance(values, dict):
        return [checks.Error(f"{name} must be a dict.", id=_id(first_id))]
    return [
        *_unknown_keys(name, values, defaults, _id(first_id + 1)),
        *_invalid_values(name, {**defaults, **values}, rules, first_id + 2),
    ]


def _id(number: int) -> str:
    return f"live_single_session.E{number:03}"


def _unknown_keys(
    name: str, values: Mapping[str, Any], known: Collection[str], check_id: str
) -> Iterator[checks.CheckMessage]:
    for key in values.keys() - set(known):
        near = difflib.get_close_matches(str(key).upper(), known, n=1, cutoff=0)
        yield checks.Error(
            f"{name} has no key {key!r}.", hint=f"Did you mean {near[0]!r}?", id=check_id
        )


def _invalid_values(
    name: str, values: Mapping[str, Any], rules: Mapping[str, Rule], first_id: int
) -> Iterator[checks.CheckMessage]:
    for key, rule in rules.items():
        value = values[key]
        if not rule.fits(value):
            yield checks.Error(
                f"{name}[{key!r}] is {value!r}.",
                hint=f"It must be {rule.wanted}.",
                id=_id(first_id),
            )
        elif rule.is_path and (problem := _problem_of(value, rule.arguments)):
            yield checks.Error(
                f"{name}[{key!r}] names {value!r}, which can't be used: {problem}",
                hint="Give the dotted path of a callable.",
                id=_id(first_id + 1),
            )


def _problem_of(value: Any, arguments: tuple[str, ...]) -> str:
    """Return why a callable, or the dotted path of one, can't be used; "" if it can."""
    try:
        found = import_string(value) if isinstance(value, str) else value
    except ImportError as error:
        return str(error)
    if not callable(found):
        return "It is not callable." if isinstance(value, str) else ""
    try:
        inspect.signature(found).bind(*arguments)
    except TypeError:
        return f"It can't be called with ({', '.join(arguments)})." if arguments else ""
    except ValueError:  # written in C, it says nothing of its arguments
        return ""
    return ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_callable(value: Any) -> bool:
    return isinstance(value, str) or callable(value)


TIME_LIMIT = Rule(
    lambda v: v is None or _is_seconds(v) or _is_callable(v),
    "a number of seconds above 0, None, or the dotted path of a callable",
    is_path=True,
)

RULES: dict[str, Rule] = {
    "LIMIT": Rule(
        lambda v: v is None or _is_count(v) or _is_callable(v),
        "a number from 1 up, None, or the dotted path of a callable",
        is_path=True,
        arguments=("user", "request", "slot"),
    ),
    "ON_LIMIT": Rule(lambda v: v in MODES, "one of " + ", ".join(map(repr, MODES))),
    "SLOT": Rule(
        lambda v: v is None or _is_callable(v),
        "None or the dotted path of a callable",
        is_path=True,
        arguments=("user", "request"),
    ),
    "RECHECK_SECONDS": Rule(_is_seconds, "a number of seconds above 0"),
    "PUSH_TIMEOUT_SECONDS": Rule(_is_seconds, "a number of seconds above 0"),
    "WEBSOCKET_PATH": Rule(
        lambda v: v is None or (isinstance(v, str) and v.startswith("/")),
        'None or a path that begins with "/"',
    ),
    "CLIENT_IP": Rule(
        lambda v: v is None or _is_callable(v),
        "None or the dotted path of a callable",
        is_path=True,
        arguments=("request",),
    ),
    "RECORD_CLIENT": Rule(lambda v: isinstance(v, bool), "True or False"),
    "DISCLOSE": Rule(
        lambda v: (
            isinstance(v, list | tuple | set | frozenset) and all(i in DISCLOSED for i in v)
        ),
        "a tuple of any of " + ", ".join(map(repr, DISCLOSED)),
    ),
    "ACTIVITY_SECONDS": Rule(
        lambda v: v is None or _is_seconds(v),
        "None or a number of seconds above 0",
    ),
    "IDLE_SECONDS": TIME_LIMIT,
    "LIFETIME_SECONDS": TIME_LIMIT,
    "WARN_SECONDS": Rule(
        lambda v: _is_seconds(v) and v >= LEAST_WARNING,
        f"a number of seconds, {LEAST_WARNING} or more (WCAG 2.2.1)",
    ),
    "CONFIRM": Rule(
        lambda v: v is None or _is_callable(v),
        "None or the dotted path of a callable",
        is_path=True,
        arguments=("request", "user", "action"),
    ),
    "CONFIRM_SECONDS": Rule(_is_seconds, "a number of seconds above 0"),
    "AWAY_SECONDS": Rule(
        lambda v: v is None or _is_seconds(v), "None or a number of seconds above 0"
    ),
    "ON_SHARED": Rule(lambda v: v in SHARED, "one of " + ", ".join(map(repr, SHARED))),
    "KEEP_ENDED_DAYS": Rule(
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
        "a number of days, 0 or more",
    ),
    "NOT_YOU_URL": Rule(
        lambda v: v is None or (isinstance(v, str) and bool(v)),
        "None, a URL, or the name of a URL pattern",
    ),
}
