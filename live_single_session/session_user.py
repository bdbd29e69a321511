"""The user of a session, found as Django's ``get_user`` does, but without changing anything.

``channels.auth`` ignores ``SECRET_KEY_FALLBACKS`` and then flushes the session, so that
opening a socket after a rotation of the secret signs its user out.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.utils.crypto import constant_time_compare

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.request_state import current_request, state_of


def user_of(session: Any) -> Any:
    """Return the user who is signed in to a session, or an anonymous one.

    Args:
        session: a session, or its data.
    """
    from django.contrib.auth.models import AnonymousUser

    backend_path: str = session.get(BACKEND_SESSION_KEY) or ""
    if SESSION_KEY not in session or backend_path not in settings.AUTHENTICATION_BACKENDS:
        return AnonymousUser()
    user_pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
    user = load_backend(backend_path).get_user(user_pk)
    return user if user is not None and is_valid(session, user) else AnonymousUser()


def is_valid(session: Mapping[str, Any], user: Any) -> bool:
    """Tell whether Django takes the hash in a session for that of its user."""
    if not hasattr(user, "get_session_auth_hash"):
        return True
    stored = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(stored, valid) for valid in hashes)


def is_of_user_model(user: Any) -> bool:
    """Tell whether a user is one of ``AUTH_USER_MODEL``; backends may know others."""
    return isinstance(user, get_user_model())


def pk_in_session(user: Any) -> str:
    """Return the primary key of a user as Django writes it into a session."""
    return str(user._meta.pk.value_to_string(user))


def is_signed_in(request: Any, user: Any) -> bool:
    """Tell whether the session of a request belongs to a user."""
    session = getattr(request, "session", None)
    return session is not None and session.get(SESSION_KEY) == pk_in_session(user)


def session_id_here(user: Any) -> UUID | None:
    """Return the id of the session in which a user works right now, if any."""
    request = current_request()
    if request is None:
        return None
    bearer = state_of(request).bearer
    if bearer is not None and bearer.user_pk == user.pk:
        return bearer.session_id
    if not is_signed_in(request, user):
        return None
    return as_uuid(request.session.get(SESSION_ID_KEY))
