"""The OpenAPI schema of the tokens, for drf-spectacular; loaded where that is installed."""

from typing import Any

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers

from live_single_session.models import EndReason

_ROOM = "live_single_session.contrib.simplejwt"


class JWTScheme(SimpleJWTScheme):  # type: ignore[misc]
    """A bearer token in the header, as with simplejwt's own class."""

    target_class = f"{_ROOM}.authentication.JWTAuthentication"
    match_subclasses = True
    name = "liveSessionJWT"  # not simplejwt's name: a site may use both


class TokenErrorSerializer(serializers.Serializer):  # type: ignore[misc]
    """Why a token was not accepted."""

    code = serializers.CharField(help_text="`session_ended`, or one of simplejwt's codes.")
    detail = serializers.CharField()
    reason = serializers.ChoiceField(
        EndReason.choices, required=False, help_text="Why the session has ended."
    )
    login_url = serializers.CharField(required=False)


class CredentialsErrorSerializer(serializers.Serializer):  # type: ignore[misc]
    """The credentials are wrong."""

    detail = serializers.CharField()


class OtherSessionSerializer(serializers.Serializer):  # type: ignore[misc]
    """Where the user is signed in."""

    session = serializers.UUIDField()
    device = serializers.CharField(allow_null=True)
    ip = serializers.IPAddressField(allow_null=True)
    started_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(allow_null=True)


class SessionLimitSerializer(serializers.Serializer):  # type: ignore[misc]
    """The user is signed in on as many devices as are allowed."""

    code = serializers.CharField(help_text="`session_limit`")
    detail = serializers.CharField()
    login_url = serializers.CharField()
    sessions = OtherSessionSerializer(many=True)
    take_over = serializers.IntegerField(
        required=False, help_text="Send this along to end the sessions in the way."
    )


class RefreshedTokensSerializer(serializers.Serializer):  # type: ignore[misc]
    """A new access token, and a new refresh token where they rotate."""

    access = serializers.CharField()
    refresh = serializers.CharField(required=False)


class RefreshTokenSerializer(serializers.Serializer):  # type: ignore[misc]
    """A refresh token."""

    refresh = serializers.CharField()


class AnyTokenSerializer(serializers.Serializer):  # type: ignore[misc]
    """A token of either type."""

    token = serializers.CharField()


class _View(OpenApiViewExtension):  # type: ignore[misc]
    """Describes one of the views, and those that a site derives from it."""

    match_subclasses = True
    request: Any
    responses: dict[int, Any]

    def view_replacement(self) -> Any:
        """Return the view with its requests and answers described."""

        class Described(self.target):  # type: ignore[misc,name-defined]
            @extend_schema(request=self.request, responses=self.responses)  # type: ignore[untyped-decorator]
            def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                return super().post(request, *args, **kwargs)

        Described.__doc__ = self.target.__doc__
        return Described


_NOTHING = OpenApiResponse(description="An empty object.")


class ObtainPair(_View):
    """``token/``: described by the site's own serializer, if it has one."""

    target_class = f"{_ROOM}.views.TokenObtainPairView"
    responses = {401: CredentialsErrorSerializer, 409: SessionLimitSerializer}

    def view_replacement(self) -> Any:
        """Return the view with its requests and answers described."""
        self.request = self.target().get_serializer_class()
        self.responses = {200: self.request, **self.responses}
        return super().view_replacement()


class Refresh(_View):
    target_class = f"{_ROOM}.views.TokenRefreshView"
    request = RefreshTokenSerializer
    responses = {200: RefreshedTokensSerializer, 401: TokenErrorSerializer}


class Verify(_View):
    target_class = f"{_ROOM}.views.TokenVerifyView"
    request = AnyTokenSerializer
    responses = {200: _NOTHING, 401: TokenErrorSerializer}


class Logout(_View):
    target_class = f"{_ROOM}.views.TokenLogoutView"
    request = RefreshTokenSerializer
    responses = {200: _NOTHING, 401: TokenErrorSerializer}
