"""What a request and its session look like when the response is about to go out.

This takes no I/O: it looks only at what the request has loaded.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from live_single_session.django_internals import (
    loaded_data,
    loaded_user,
)
from live_single_session.http import activity, sights
from live_single_session.notices import HEADER
from live_single_session.registry import engine
from live_single_session.request_state import state_of
from live_single_session.session_user import is_of_user_model


@dataclass(frozen=True)
class Facts:
    """What a request looks like when its response is about to go out.

    Attributes:
        has_failed: Django saves no session and sets no cookie.
        is_refused: a sign-in of this request was refused.
        is_told: the response tells of an ended session already.
        has_bearer: it is signed in by other means than its session.
        has_begun: it has signed in.
        is_uncommitted: what it changed in the registry may have been rolled back.
        is_signed_in: somebody is signed in to its session.
        has_row: the registry knows that session.
        is_adoptable: it does not, and the user is known.
        is_turned_away: Django does not let that user in.
        is_dead: the key that it came with opens nothing, and the client is to be told.
        lasts_otherwise: its session expires at another time than the registry knows.
        is_cookie_renewed: the response renews a cookie which is itself the session.
        is_use_due: it is time to record its use.
        is_sight_due: it is time to record that its browser is there.
    """

    has_failed: bool = False
    is_refused: bool = False
    is_told: bool = False
    has_bearer: bool = False
    has_begun: bool = False
    is_uncommitted: bool = False
    is_signed_in: bool = False
    has_row: bool = False
    is_adoptable: bool = False
    is_turned_away: bool = False
    is_dead: bool = False
    lasts_otherwise: bool = False
    is_cookie_renewed: bool = False
    is_use_due: bool = False
    is_sight_due: bool = False


def facts_of(request: HttpRequest, response: HttpResponseBase) -> Facts:
    """Look at a request and its response, without I/O."""
    session: Any = getattr(request, "session", None)
    state = state_of(request)
    always = {
        "has_failed": response.status_code >= 500,
        "is_refused": state.refused is not None,
        "is_use_due": activity.is_due(request),
        "is_sight_due": sights.is_due(request),
    }
    data = loaded_data(session)
    if data is None or not engine.is_gated(session):
        return Facts(**always)
    is_signed_in = SESSION_KEY in data
    user = loaded_user(request)
    return Facts(
        **always,
        is_told=HEADER in response.headers,
        has_bearer=state.bearer is not None,
        has_begun=session.has_begun,
        is_uncommitted=session.is_uncommitted,
        is_signed_in=is_signed_in,
        has_row=session.row_id is not None,
        is_adoptable=is_signed_in and session.row_id is None and _is_of(user, data),
        is_turned_away=user is not None and not user.is_authenticated,
        is_dead=session.is_dead and not is_signed_in,
        lasts_otherwise=is_signed_in and _lasts_otherwise(session, data),
        is_cookie_renewed=is_signed_in and _is_cookie_renewed(session),
    )


def _is_of(user: Any, data: dict[str, Any]) -> bool:
    """Tell whether a user is the one who is signed in to the session."""
    if user is None or not user.is_authenticated or not is_of_user_model(user):
        return False
    return bool(str(user.pk) == data[SESSION_KEY])


def _lasts_otherwise(session: Any, data: dict[str, Any]) -> bool:
    if session.has_begun:
        return "_session_expiry" in data  # set by the view, after it signed its user in
    if session.known_expiry is None or not _is_cookie_renewed(session):
        return False
    return bool(session.known_expiry < session.get_expiry_date())


def _is_cookie_renewed(session: Any) -> bool:
    """Tell whether the response renews a cookie which is itself the session."""
    if engine.keeps_keys(type(session)) or session.has_begun or session.row_id is None:
        return False
    return bool(session.modified or settings.SESSION_SAVE_EVERY_REQUEST)
