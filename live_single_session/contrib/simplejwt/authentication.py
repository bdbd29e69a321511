"""Authenticate API requests by tokens whose session is live."""

from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework_simplejwt import authentication

from live_single_session.contrib.simplejwt.bearer import decoded, session_id_of, user_of
from live_single_session.contrib.simplejwt.exceptions import SessionEnded, tell_in_header
from live_single_session.request_state import Bearer, state_of


class JWTAuthentication(authentication.JWTAuthentication):  # type: ignore[misc]
    """simplejwt's authentication, for tokens of live sessions; it costs no more queries.

    Raises:
        SessionEnded: 401 ``session_ended`` with the reason.
    """

    @sensitive_variables()
    def authenticate(self, request: Any) -> Any:
        """Return the user and the token of a request; None if it brings no token."""
        try:
            found = super().authenticate(request)
        except SessionEnded as error:
            tell_in_header(_view_of(request), error)
            raise
        if found is not None:
            _note(request, *found)
        return found

    @sensitive_variables()
    def get_validated_token(self, raw_token: bytes) -> Any:
        """Return the token if it was signed here and has not expired."""
        return decoded(super().get_validated_token, raw_token)

    def get_user(self, validated_token: Any) -> Any:
        """Return the user of a token whose session is live; see ``bearer.user_of()``."""
        return user_of(validated_token)


def _note(request: Any, user: Any, token: Any) -> None:
    """Record the session of a request, for the middleware."""
    session_id = session_id_of(token)
    if session_id is not None:
        state_of(request).bearer = Bearer(session_id, user.pk)


def _view_of(request: Any) -> Any:
    return (getattr(request, "parser_context", None) or {}).get("view")
