"""Validate a token, and find its user and session: for requests, websockets and views.

A token is valid if its signature is, if its user may sign in, and if the session that it
names is a live session of that user. User and session are fetched in one query.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from live_single_session.contrib.simplejwt.conf import conf
from live_single_session.contrib.simplejwt.exceptions import SessionEnded
from live_single_session.models import UserSession, as_uuid
from live_single_session.notices import notice_of, notice_of_unknown
from live_single_session.registry import db, ending, time_limits

SID = "sid"

# No server accepts a longer header, so nothing longer is parsed.
MOST_CHARACTERS = 16_384

# The relation from a user to that user's sessions, in queries.
SESSION = "live_single_session"


@sensitive_variables()
def decoded(decode: Callable[[Any], Any], raw: Any) -> Any:
    """Decode a token that was signed by this site and has not expired.

    Args:
        decode: the function that decodes it, such as a token class of simplejwt.
        raw: what the client sent, text or bytes.

    Raises:
        InvalidToken: it is not such a token.
    """
    if len(raw) > MOST_CHARACTERS:
        raise InvalidToken
    try:
        return decode(raw)
    except TokenError as error:
        raise InvalidToken(error.args[0]) from None
    except (ValueError, RecursionError):  # JSON that is too deep for older versions of PyJWT
        raise InvalidToken from None


def session_id_of(token: Any) -> UUID | None:
    """Return the id of the session that a token carries.

    Args:
        token: a decoded token, or its claims.

    Returns:
        the id; None if the token carries none and is accepted without one.

    Raises:
        InvalidToken: it carries none and must, or what it carries is no id.
    """
    claim = token.get(SID)
    if claim is None and conf.accepts_tokens_without_sid:
        return None
    session_id = as_uuid(claim)
    if session_id is None:
        raise InvalidToken(_("Token belongs to no session"))
    return session_id


def user_of(token: Any) -> Any:
    """Return the user of a token whose session is live.

    Args:
        token: a decoded token, or its claims.

    Raises:
        SessionEnded: the token's session has ended.
        InvalidToken: the token names no user, or a session that isn't that user's.
        AuthenticationFailed: the user is inactive, or the password was changed.
    """
    session_id = session_id_of(token)
    user = _find(token) if session_id is None else _find(token, _is_live(session_id))
    if user is None:
        raise _why_nobody(token, session_id)
    if api_settings.CHECK_USER_IS_ACTIVE and not user.is_active:
        raise _inactive(session_id)
    _check_password(token, user)
    return user


def _is_live(session_id: UUID) -> Q:
    """Match the user of a live session that is within its limits in time."""
    live = Q(**{SESSION: session_id, f"{SESSION}__ended_at": None})
    return live & time_limits.within(f"{SESSION}__")


def _find(token: Any, match: Q = Q()) -> Any:  # noqa: B008 - nobody changes it
    """Return the user that a token names, if the user matches; else None."""
    claim = token.get(api_settings.USER_ID_CLAIM)
    if claim is None:
        raise InvalidToken(_("Token contained no recognizable user identification"))
    user_model = get_user_model()
    # From the registry's database, not from a replica that lags behind.
    users = user_model.objects.using(db.database())
    try:
        return users.get(match, **{api_settings.USER_ID_FIELD: claim})
    except user_model.DoesNotExist:
        return None
    except (TypeError, ValueError, OverflowError, ValidationError):
        raise InvalidToken from None


def _why_nobody(token: Any, session_id: UUID | None) -> AuthenticationFailed:
    if session_id is None:
        return AuthenticationFailed(_("User not found"), code="user_not_found")
    user = _find(token)
    return (
        SessionEnded(notice_of_unknown(session_id, user_is_gone=True))
        if user is None
        else _why_not_live(user, session_id)
    )


def _why_not_live(user: Any, session_id: UUID) -> AuthenticationFailed:
    rows = UserSession.objects.using(db.database()).select_related("replaced_by")
    row = rows.filter(pk=session_id).first()
    if row is None:
        return SessionEnded(notice_of_unknown(session_id))
    if row.user_id == user.pk and row.ended_at is None:
        row = ending.ended_among({session_id}).get(session_id)  # if its time is over
    if row is None or row.user_id != user.pk:
        return InvalidToken()
    return SessionEnded(notice_of(row))


def _inactive(session_id: UUID | None) -> AuthenticationFailed:
    """End the session of a user who was deactivated without Django's signals."""
    if session_id is not None:
        row = ending.ended_among({session_id}).get(session_id)
        missing = notice_of_unknown(session_id, user_is_gone=True)
        return SessionEnded(notice_of(row) if row else missing)
    return AuthenticationFailed(_("User is inactive"), code="user_inactive")


def _check_password(token: Any, user: Any) -> None:
    if not api_settings.CHECK_REVOKE_TOKEN:
        return
    if token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise AuthenticationFailed(
            _("The user's password has been changed."), code="password_changed"
        )
