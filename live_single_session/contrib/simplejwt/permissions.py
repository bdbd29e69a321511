"""``IsLiveSession``, for sites that keep their own authentication classes."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import SESSION_KEY
from rest_framework.permissions import BasePermission
from rest_framework_simplejwt.tokens import Token

from live_single_session.contrib.simplejwt.bearer import user_of
from live_single_session.contrib.simplejwt.exceptions import SessionEnded, tell_in_header


class IsLiveSession(BasePermission):  # type: ignore[misc]
    """Allows requests that come with a live session: by its token, or by its cookie.

    The token (or a mapping of its claims) must be in ``request.auth``, where
    authentication classes put it; it costs one query. A cookie costs none: that of an
    ended session has signed nobody in. Credentials without a session, such as the tokens
    of Django REST framework or a password in each request, are refused.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        """Tell whether a request comes with a live session.

        Raises:
            SessionEnded: 401 ``session_ended`` with the reason.
            AuthenticationFailed: the token is invalid for another reason.
        """
        if not isinstance(request.auth, Token | Mapping):
            return _is_signed_in_by_cookie(request)
        try:
            user_of(request.auth)
        except SessionEnded as error:
            tell_in_header(view, error)
            raise
        return True


def _is_signed_in_by_cookie(request: Any) -> bool:
    session = getattr(request, "session", None)
    if request.auth is not None or session is None or not request.user.is_authenticated:
        return False
    pk = request.user._meta.pk.value_to_string(request.user)
    return bool(session.get(SESSION_KEY) == pk)
