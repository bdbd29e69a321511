"""simplejwt's serializers with the registry: each pair of tokens is one session."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers as fields
from rest_framework_simplejwt import serializers
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, UntypedToken

from live_single_session import registry
from live_single_session.contrib.simplejwt.bearer import decoded, session_id_of, user_of
from live_single_session.contrib.simplejwt.exceptions import SessionEnded, SessionLimit
from live_single_session.contrib.simplejwt.tokens import (
    is_starting,
    sign_in,
    start_session,
    time_left,
)
from live_single_session.exceptions import LoginRefused
from live_single_session.http import refusals
from live_single_session.models import EndReason
from live_single_session.notices import notice_of, notice_of_unknown
from live_single_session.registry import ending, lifecycle, records, uses
from live_single_session.request_state import current_request


class TokenObtainPairSerializer(serializers.TokenObtainSerializer):  # type: ignore[misc]
    """Signs a user in: one session, and a pair of tokens that carry it.

    It works in simplejwt's own view as well (``TOKEN_OBTAIN_SERIALIZER``), and where another
    package asks it for a token (``JWT_TOKEN_CLAIMS_SERIALIZER`` of dj-rest-auth). Override
    ``get_token()`` to add claims, as with simplejwt's own.
    """

    token_class = RefreshToken

    take_over = fields.IntegerField(
        required=False,
        write_only=True,
        help_text=_("What the answer session_limit names, to end the sessions in the way."),
    )
    # Its name, for lists of where its user is signed in.
    device = fields.CharField(required=False, allow_blank=True, write_only=True)
    refresh = fields.CharField(read_only=True)
    access = fields.CharField(read_only=True)

    @classmethod
    @sensitive_variables()
    def get_token(cls, user: Any) -> Any:
        """Return a refresh token for a user; start its session where that isn't going on.

        Raises:
            SessionLimit: 409, the user is signed in on as many devices as are allowed.
        """
        if is_starting():
            return super().get_token(user)
        try:
            return start_session(
                user, current_request(), cls.get_token, cls.token_class.lifetime
            )
        except LoginRefused as refused:
            raise SessionLimit(refusals.body(refused)) from None

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the credentials, start a session, and return its tokens.

        Raises:
            SessionLimit: 409, the user is signed in on as many devices as are allowed.
        """
        data: dict[str, Any] = super().validate(attrs)
        try:
            tokens = sign_in(
                self.user,
                self.context.get("request"),
                take_over=attrs.get("take_over"),
                device=attrs.get("device", ""),
                get_token=self.get_token,
                lifetime=self.token_class.lifetime,
            )
        except LoginRefused as refused:
            raise SessionLimit(refusals.body(refused)) from None
        return {**data, **tokens}


class TokenRefreshSerializer(serializers.TokenRefreshSerializer):  # type: ignore[misc]
    """Renews the tokens of a live session, which lives as long as they do."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return new tokens.

        Raises:
            SessionEnded: 401 ``session_ended`` with the reason.
        """
        refresh = decoded(self.token_class, attrs["refresh"])
        user = user_of(refresh)
        if not api_settings.USER_AUTHENTICATION_RULE(user):
            raise AuthenticationFailed(
                self.error_messages["no_active_account"], "no_active_account"
            )
        session_id = session_id_of(refresh)
        if session_id is None:
            return _until_it_expires(refresh, attrs["refresh"])
        needed = self._lifetime_of_renewed(refresh)
        if needed > time_left(refresh) and not lifecycle.prolong(session_id, user.pk, needed):
            row = ending.ended_among({session_id}).get(session_id)
            raise SessionEnded(notice_of(row) if row else notice_of_unknown(session_id))
        if uses.is_due(session_id):
            uses.record(session_id, current_request())
        renewed: dict[str, Any] = super().validate(attrs)
        return renewed

    def _lifetime_of_renewed(self, refresh: Any) -> timedelta:
        """Return how long the new tokens will be valid, the longest of them."""
        lifetime: timedelta = (
            self.token_class.lifetime
            if api_settings.ROTATE_REFRESH_TOKENS
            else refresh.access_token_class.lifetime
        )
        return lifetime


class TokenVerifySerializer(serializers.TokenVerifySerializer):  # type: ignore[misc]
    """Tells whether a token is valid, and its session live."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return nothing, if the token is good.

        Raises:
            SessionEnded: 401 ``session_ended`` with the reason.
        """
        user_of(decoded(UntypedToken, attrs["token"]))
        verified: dict[str, Any] = super().validate(attrs)
        return verified


class TokenLogoutSerializer(serializers.TokenBlacklistSerializer):  # type: ignore[misc]
    """Ends the session of a refresh token, and blacklists the token where there is a list."""

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """End the session; it is no error if it has ended already."""
        refresh = decoded(self.token_class, attrs["refresh"])
        try:
            user_of(refresh)
        except SessionEnded:
            return {}
        session = records.find_session(None, session_id_of(refresh))
        if session is not None:
            registry.end(session, EndReason.LOGGED_OUT)
        blacklisted: dict[str, Any] = super().validate(attrs)
        return blacklisted


def _until_it_expires(refresh: Any, raw: str) -> dict[str, Any]:
    """Renew the access token of a refresh token without ``sid``, but not the latter."""
    renewed = {"access": str(refresh.access_token)}
    return {**renewed, "refresh": raw} if api_settings.ROTATE_REFRESH_TOKENS else renewed
