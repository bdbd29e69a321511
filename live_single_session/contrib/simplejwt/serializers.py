"""simplejwt's serializers, bound to the registry: each pair of tokens is one session."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import update_last_login
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers as fields
from rest_framework_simplejwt import serializers
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, UntypedToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from live_single_session import registry
from live_single_session.contrib.simplejwt.bearer import SID, decoded, session_id_of, user_of
from live_single_session.contrib.simplejwt.exceptions import SessionEnded
from live_single_session.contrib.simplejwt.refusal import asks
from live_single_session.farewell import farewell_to, missing
from live_single_session.models import EndReason, UserSession


class TokenObtainPairSerializer(serializers.TokenObtainSerializer):  # type: ignore[misc]
    """Signs a user in: one session, and a pair of tokens that carry it.

    Override ``get_token()`` to add claims, as with simplejwt's own.
    """

    token_class = RefreshToken

    take_over = fields.IntegerField(
        required=False,
        write_only=True,
        help_text=_("What the answer session_limit names, to end the sessions in the way."),
    )
    refresh = fields.CharField(read_only=True)
    access = fields.CharField(read_only=True)

    @sensitive_variables()
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the credentials, start a session, and return its tokens.

        Raises:
            LoginRefused: the user is signed in on as many devices as are allowed.
        """
        data: dict[str, Any] = super().validate(attrs)
        request = self.context.get("request")
        request = getattr(request, "_request", request)
        if request is not None and "take_over" in attrs and asks():
            request._live_single_session_takes_over_as_of = attrs["take_over"]

        # In the login's transaction: it fails, and ends nothing, if there are no tokens.
        def issue(session: UserSession) -> None:
            refresh = self.get_token(self.user)
            refresh[SID] = str(session.pk)
            _record_with_sid(refresh)
            _prolong_if_longer(session, refresh)
            data["refresh"] = str(refresh)
            data["access"] = str(refresh.access_token)
            if api_settings.UPDATE_LAST_LOGIN:
                update_last_login(None, self.user)  # type: ignore[arg-type]

        registry.start_token(self.user, request, self.token_class.lifetime, issue)
        return data


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
        if needed > _time_left(refresh) and not registry.prolong(session_id, user.pk, needed):
            row = registry.ended_among({session_id}).get(session_id)
            raise SessionEnded(farewell_to(row) if row else missing(session_id))
        renewed: dict[str, Any] = super().validate(attrs)
        return renewed

    def _lifetime_of_renewed(self, refresh: Any) -> timedelta:
        """Return how long the longest-lived of the new tokens will be valid."""
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
        session = registry.recognise(None, session_id_of(refresh))
        if session is not None:
            registry.end(session, EndReason.LOGGED_OUT)
        blacklisted: dict[str, Any] = super().validate(attrs)
        return blacklisted


def _record_with_sid(refresh: Any) -> None:
    """Replace what simplejwt has recorded as outstanding: a token that names no session."""
    if hasattr(refresh, "blacklist"):
        from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

        jti = refresh[api_settings.JTI_CLAIM]
        OutstandingToken.objects.filter(jti=jti).update(token=str(refresh))


def _prolong_if_longer(session: UserSession, refresh: Any) -> None:
    """Let the session live as long as a token whose ``get_token()`` gives it longer."""
    left = _time_left(refresh)
    if left > refresh.lifetime:
        registry.prolong(session.pk, session.user_id, left)


def _time_left(token: Any) -> timedelta:
    left: timedelta = datetime_from_epoch(token["exp"]) - token.current_time
    return left


def _until_it_expires(refresh: Any, raw: str) -> dict[str, Any]:
    """Renew the access token of a refresh token without ``sid``, but never that itself."""
    renewed = {"access": str(refresh.access_token)}
    return {**renewed, "refresh": raw} if api_settings.ROTATE_REFRESH_TOKENS else renewed
