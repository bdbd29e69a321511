"""Decides which requests are use of their session, and records that.

Only what people do is use: not a prefetch, a question for the status, or a request that says
of itself that it is passive, such as a poll.
"""

from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from live_single_session.django_internals import loaded_data
from live_single_session.http.responses import is_prefetch
from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.registry import uses
from live_single_session.request_state import state_of

# The header of a request that nobody makes by hand; a view can set the attribute instead.
PASSIVE_HEADER = "Session-Passive"
PASSIVE_ATTRIBUTE = "single_session_passive"


def is_due(request: HttpRequest) -> bool:
    """Tell whether it is time to record the use of the session of a request."""
    if uses.interval() is None:
        return False
    session_id = _session_in_use(request)
    return session_id is not None and uses.is_due(session_id)


def record(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record that the session of a request is in use."""
    session_id = _session_in_use(request)
    if session_id is not None:
        uses.record(session_id, request)
    return response


def _session_in_use(request: HttpRequest) -> UUID | None:
    """Return the session that a request has used, as far as it has been loaded."""
    if _is_passive(request):
        return None
    bearer = state_of(request).bearer
    if bearer is not None:
        return bearer.session_id
    data = loaded_data(getattr(request, "session", None)) or {}
    return as_uuid(data.get(SESSION_ID_KEY))


def _is_passive(request: HttpRequest) -> bool:
    """Tell whether a request is no use of its session."""
    if getattr(request, PASSIVE_ATTRIBUTE, False) or PASSIVE_HEADER in request.headers:
        return True
    return is_prefetch(request) or _is_question(request)


def _is_question(request: HttpRequest) -> bool:
    """Tell whether a request only asks for the status of its session, which is no use."""
    match = request.resolver_match
    if match is None or match.url_name != "status":
        return False
    return "live_single_session" in match.app_names
