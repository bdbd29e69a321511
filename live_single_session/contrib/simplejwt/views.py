"""The views of the tokens: obtain, refresh, verify and log out."""

from contextlib import suppress
from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework.response import Response
from rest_framework_simplejwt import views

from live_single_session.contrib.simplejwt import serializers
from live_single_session.contrib.simplejwt.exceptions import tell_in_header

_secrets = sensitive_post_parameters("password", "refresh", "token")


@method_decorator([_secrets, never_cache], name="dispatch")
class SessionTokenView(views.TokenViewBase):  # type: ignore[misc]
    """Base of the views.

    Responses name the reason of an end and are never cached, and error reports contain
    neither passwords nor tokens.
    """

    @sensitive_variables()
    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Have the serializer do the work."""
        return super().post(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Any:
        """Return the response to an error."""
        tell_in_header(self, exc)
        return super().handle_exception(exc)


class TokenObtainPairView(SessionTokenView, views.TokenObtainPairView):  # type: ignore[misc]
    """Signs a user in: starts a session, and returns its access and refresh tokens.

    It counts like any other sign-in, and may end the user's oldest session. Where the
    user's other sessions don't give way, the answer is 409 ``session_limit`` with a list
    of them; if it names a ``take_over``, the same request with it ends them.
    """

    serializer_class = serializers.TokenObtainPairSerializer


class TokenRefreshView(SessionTokenView, views.TokenRefreshView):  # type: ignore[misc]
    """Renews the access token of a live session, and its refresh token where they rotate."""

    serializer_class = serializers.TokenRefreshSerializer


class TokenVerifyView(SessionTokenView, views.TokenVerifyView):  # type: ignore[misc]
    """Tells whether a token is valid, and its session live."""

    serializer_class = serializers.TokenVerifySerializer


class TokenLogoutView(SessionTokenView):
    """Signs out: ends the session of a refresh token, with all its tokens and sockets."""

    serializer_class = serializers.TokenLogoutSerializer


with suppress(ImportError):  # drf-spectacular is optional
    import live_single_session.contrib.simplejwt.schema  # noqa: F401
