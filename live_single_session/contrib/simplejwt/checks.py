"""System checks: ``LIVE_SINGLE_SESSION_JWT``, and views whose tokens belong to no session."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from live_single_session.checks.settings import Messages, Rule, check_dict
from live_single_session.conf import conf
from live_single_session.contrib.simplejwt.conf import DEFAULTS, SETTING, fits

RULES = {
    "TOKENS_WITHOUT_SID": Rule(lambda v: fits("TOKENS_WITHOUT_SID", v), "'refuse' or 'accept'"),
    "WEBSOCKET_QUERY_PARAMETER": Rule(
        lambda v: fits("WEBSOCKET_QUERY_PARAMETER", v), "None or the name of a query parameter"
    ),
}

OURS = "live_single_session.contrib.simplejwt.serializers"


def register() -> None:
    """Register the checks; called when the app is ready."""
    checks.register(check_settings, checks.Tags.security)
    checks.register(check_views, checks.Tags.security)
    checks.register(check_dj_rest_auth, checks.Tags.security)
    checks.register(check_authentication, checks.Tags.security)
    checks.register(check_access_tokens, checks.Tags.security)


def check_settings(**kwargs: Any) -> Messages:
    """E101 to E103: an unknown key, or an invalid value."""
    return check_dict(SETTING, DEFAULTS, RULES, first_id=101)


def check_views(**kwargs: Any) -> Messages:
    """W101 and W102: a view of simplejwt's that knows nothing of sessions."""
    from rest_framework_simplejwt import views

    from live_single_session.contrib.simplejwt import serializers

    kinds = [
        (
            views.TokenObtainPairView,
            serializers.TokenObtainPairSerializer,
            "TOKEN_OBTAIN_SERIALIZER",
            "live_single_session.W101",
        ),
        (
            views.TokenRefreshView,
            serializers.TokenRefreshSerializer,
            "TOKEN_REFRESH_SERIALIZER",
            "live_single_session.W102",
        ),
    ]
    return [
        _lacks_session(route, wanted, setting, check_id)
        for route, view in _class_based_views(get_resolver().url_patterns)
        for theirs, wanted, setting, check_id in kinds
        if issubclass(view, theirs) and not _serializes_by(view, wanted)
    ]


def check_dj_rest_auth(**kwargs: Any) -> Messages:
    """W103: dj-rest-auth's tokens belong to no session."""
    if not apps.is_installed("dj_rest_auth"):
        return []
    from dj_rest_auth.app_settings import api_settings

    from live_single_session.contrib.simplejwt.serializers import TokenObtainPairSerializer

    serializer = api_settings.JWT_TOKEN_CLAIMS_SERIALIZER
    if not api_settings.USE_JWT or issubclass(serializer, TokenObtainPairSerializer):
        return []
    return [
        checks.Warning(
            "The tokens that dj-rest-auth issues belong to no session, and are refused.",
            hint="Set REST_AUTH['JWT_TOKEN_CLAIMS_SERIALIZER'] to "
            f"'{OURS}.TokenObtainPairSerializer', or to a subclass of it.",
            id="live_single_session.W103",
        )
    ]


def check_authentication(**kwargs: Any) -> Messages:
    """W104: access tokens of ended sessions are accepted until they expire."""
    from rest_framework.settings import api_settings
    from rest_framework_simplejwt.authentication import JWTAuthentication as Theirs

    from live_single_session.contrib.simplejwt.authentication import JWTAuthentication
    from live_single_session.contrib.simplejwt.permissions import IsLiveSession

    permissions = api_settings.DEFAULT_PERMISSION_CLASSES
    if any(issubclass(each, IsLiveSession) for each in permissions if isinstance(each, type)):
        return []
    return [
        checks.Warning(
            f"{each.__module__}.{each.__qualname__} accepts the tokens of ended sessions "
            "until they expire.",
            hint="In REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES'] use "
            "'live_single_session.contrib.simplejwt.JWTAuthentication', or let yours inherit "
            "from it, or add IsLiveSession to 'DEFAULT_PERMISSION_CLASSES'.",
            id="live_single_session.W104",
        )
        for each in api_settings.DEFAULT_AUTHENTICATION_CLASSES
        if issubclass(each, Theirs) and not issubclass(each, JWTAuthentication)
    ]


def check_access_tokens(**kwargs: Any) -> Messages:
    """W105: an app refreshes its tokens too rarely to show that it is in use."""
    from rest_framework_simplejwt.settings import api_settings

    seconds, idle = api_settings.ACCESS_TOKEN_LIFETIME.total_seconds(), conf.IDLE_SECONDS
    if not isinstance(idle, int | float) or seconds <= idle:
        return []
    return [
        checks.Warning(
            f"Access tokens are valid for {seconds:.0f} seconds, and IDLE_SECONDS is {idle}.",
            hint="Shorten SIMPLE_JWT['ACCESS_TOKEN_LIFETIME']: whatever checks access tokens "
            "without asking the registry accepts them after the session has ended.",
            id="live_single_session.W105",
        )
    ]


def _class_based_views(
    patterns: Iterable[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, type]]:
    """Yield the routes of a site whose views are classes, as Django REST framework's are."""
    for pattern in patterns:
        route = prefix + re.sub(r"[\^$?]", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _class_based_views(pattern.url_patterns, route)
        elif isinstance(view := getattr(pattern.callback, "cls", None), type) and (
            _is_reached(route, view)
        ):
            yield route, view


def _is_reached(route: str, view: type) -> bool:
    """Tell whether no other pattern stands in front; if that can't be told, it is reached."""
    try:
        return getattr(resolve(f"/{route}").func, "cls", None) is view
    except Resolver404:  # it has parameters
        return True


def _serializes_by(view: Any, wanted: type) -> bool:
    """Tell whether a view's serializer is this one; True where that can't be told."""
    try:
        serializer = view().get_serializer_class()
    except Exception:  # whatever a site's own view needs for that; it has a request then
        return True
    return not isinstance(serializer, type) or issubclass(serializer, wanted)


def _lacks_session(
    route: str, wanted: type, setting: str, check_id: str
) -> checks.CheckMessage:
    return checks.Warning(
        f"The tokens that {route!r} answers with belong to no session, or outlive it.",
        hint=f"Set SIMPLE_JWT[{setting!r}] to '{OURS}.{wanted.__name__}', or let the view's "
        "serializer be a subclass of it.",
        id=check_id,
    )
