"""Sign a user in by tokens: one session, and a pair of tokens that carry its id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import update_last_login
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.contrib.simplejwt.bearer import SID
from live_single_session.contrib.simplejwt.exceptions import Unconfirmed
from live_single_session.http import confirmation
from live_single_session.models import UserSession
from live_single_session.registry import db, lifecycle, logins
from live_single_session.request_state import django_request, state_of

# Whether a session is being started in this context, for which a token is made.
_starting: ContextVar[bool] = ContextVar("live_single_session_starting", default=False)


def is_starting() -> bool:
    """Tell whether a token is made for a session that is being started already."""
    return _starting.get()


@sensitive_variables()
def sign_in(
    user: Any,
    request: Any,
    *,
    take_over: int | None = None,
    device: str = "",
    get_token: Callable[[Any], Any] = RefreshToken.for_user,
    lifetime: timedelta | None = None,
) -> dict[str, str]:
    """Start a session for a user, and return its tokens.

    Use it instead of simplejwt's ``RefreshToken.for_user()`` wherever a site signs users
    in without the view ``token/``.

    Args:
        user: the user, authenticated.
        request: the request that signs in, Django's or Django REST framework's, if any.
        take_over: the choice of a user who was asked, see ``refusals.body()``.
        device: the name that an app gives its device.
        get_token: makes the refresh token.
        lifetime: how long refresh tokens are valid; default: as simplejwt's settings say.

    Returns:
        the tokens as ``{"refresh": ..., "access": ...}``.

    Raises:
        LoginRefused: the user is signed in on as many devices as are allowed.
        Unconfirmed: what the site's ``CONFIRM`` answers to a ``take_over``.
        AuthenticationFailed: the password was changed meanwhile.
        Exception: what a callable of the site raises; nobody is signed in then.
    """
    request = django_request(request)
    if take_over is not None and conf.ON_LIMIT == policy.ASK:
        unconfirmed = confirmation.ask(request, user, confirmation.TAKE_OVER)
        if unconfirmed is not None:
            raise Unconfirmed(unconfirmed)
        state_of(request).take_over = take_over
    if device:
        state_of(request).device = device
    refresh = start_session(user, request, get_token, lifetime)
    return {"refresh": str(refresh), "access": str(refresh.access_token)}


@sensitive_variables()
def start_session(
    user: Any,
    request: HttpRequest | None,
    get_token: Callable[[Any], Any],
    lifetime: timedelta | None = None,
) -> Any:
    """Start a session for a user, and return its refresh token; see ``sign_in()``."""
    lifetime = RefreshToken.lifetime if lifetime is None else lifetime
    issued = []

    # In the login's transaction: if no tokens can be made, no session ends.
    def issue(session: UserSession) -> None:
        _check_still_the_same(user)
        with _starting_a_session():
            refresh = get_token(user)
        refresh[SID] = str(session.pk)
        str(refresh.access_token)  # which fails here, if at all
        _record_with_sid(refresh, str(refresh))
        left = time_left(refresh)
        if left > lifetime:
            lifecycle.prolong(session.pk, user.pk, left)
        if api_settings.UPDATE_LAST_LOGIN:
            update_last_login(None, user)  # type: ignore[arg-type]
        issued.append(refresh)

    logins.start_token(user, request, lifetime, issue)
    return issued[-1]


@contextmanager
def _starting_a_session() -> Iterator[None]:
    token = _starting.set(True)
    try:
        yield
    finally:
        _starting.reset(token)


def _check_still_the_same(user: Any) -> None:
    """Refuse a user whose password was changed since it was checked; needs the user's lock.

    A later change ends the new session as well. But one between the check and the lock would
    not, since tokens don't carry a hash of the password.
    """
    current = user._meta.model._base_manager.using(db.database()).get(pk=user.pk)
    if getattr(current, "password", None) != getattr(user, "password", None):
        raise AuthenticationFailed(
            _("The user's password has been changed."), code="password_changed"
        )


def time_left(token: Any) -> timedelta:
    """Return how long a token is valid, counted from when it was made or decoded."""
    left: timedelta = datetime_from_epoch(token["exp"]) - token.current_time
    return left


def _record_with_sid(refresh: Any, signed: str) -> None:
    """Replace simplejwt's record of the outstanding token, which has no ``sid`` yet."""
    if hasattr(refresh, "blacklist"):
        from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

        jti = refresh[api_settings.JTI_CLAIM]
        OutstandingToken.objects.filter(jti=jti).update(token=signed)
