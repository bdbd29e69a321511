"""Records that a browser is there which has no websocket here, with ``AWAY_SECONDS`` only.

Each process remembers whom it has seen, so that most requests cost nothing.
"""

import logging
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from live_single_session.conf import conf
from live_single_session.django_internals import loaded_data
from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.registry import presence, uses
from live_single_session.request_state import state_of

logger = logging.getLogger("live_single_session")

memory = uses.Memory(uses.REMEMBERED)


def is_due(request: HttpRequest) -> bool:
    """Tell whether to record that the browser of a request is there."""
    if conf.AWAY_SECONDS is None:
        return False
    session_id = _session_of(request)
    if session_id is None or session_id in presence.connected:
        return False
    return memory.is_due(session_id, presence.period())


def record(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record that a browser has made a request, if it seemed to be gone."""
    session_id = _session_of(request)
    if session_id is None:
        return response
    memory.note(session_id)
    try:
        presence.see(session_id)
    except Exception:
        logger.exception("That session %s was seen could not be recorded", session_id)
    return response


def _session_of(request: HttpRequest) -> UUID | None:
    bearer = state_of(request).bearer
    if bearer is not None:
        return bearer.session_id
    data = loaded_data(getattr(request, "session", None)) or {}
    return as_uuid(data.get(SESSION_ID_KEY))
