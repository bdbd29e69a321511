"""Records when a session was last used: rarely, and only where the site asks for it.

The registry writes it at most once for each session in ``ACTIVITY_SECONDS``, for all
processes together. Each process remembers what it has recorded, so that the requests in
between cost neither a query nor a thread.
"""

import logging
import time
from collections import OrderedDict
from threading import Lock
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from live_single_session.conf import conf
from live_single_session.django_internals import loaded_data
from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.registry import lifecycle
from live_single_session.request_state import state_of

logger = logging.getLogger("live_single_session")

REMEMBERED = 10_000


class Memory:
    """The sessions whose use this process has recorded last, up to a number.

    Args:
        size: that number. A session beyond it costs a query that finds nothing to do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._recorded: OrderedDict[UUID, float] = OrderedDict()
        self._lock = Lock()

    def is_due(self, session_id: UUID, seconds: float) -> bool:
        """Tell whether a session was not recorded in so many seconds."""
        recorded = self._recorded.get(session_id)
        return recorded is None or time.monotonic() - recorded >= seconds

    def note(self, session_id: UUID) -> None:
        """Remember that a session is being recorded now."""
        with self._lock:
            self._recorded[session_id] = time.monotonic()
            self._recorded.move_to_end(session_id)
            if len(self._recorded) > self._size:
                self._recorded.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._recorded.clear()

    def __len__(self) -> int:
        return len(self._recorded)


memory = Memory(REMEMBERED)


def is_due(request: HttpRequest) -> bool:
    """Tell whether it is time to record the use of the session of a request."""
    seconds = conf.ACTIVITY_SECONDS
    if seconds is None:
        return False
    session_id = _session_in_use(request)
    return session_id is not None and memory.is_due(session_id, seconds)


def record(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record that the session of a request is in use; log it where that fails."""
    session_id, seconds = _session_in_use(request), conf.ACTIVITY_SECONDS
    if session_id is None or seconds is None:
        return response
    memory.note(session_id)  # first, so that concurrent requests don't record it, too
    try:
        lifecycle.touch(session_id, seconds)
    except Exception:
        logger.exception("The use of session %s could not be recorded", session_id)
    return response


def _session_in_use(request: HttpRequest) -> UUID | None:
    """Return the session that a request has used, as far as it has been loaded."""
    if _is_question(request):
        return None
    bearer = state_of(request).bearer
    if bearer is not None:
        return bearer.session_id
    data = loaded_data(getattr(request, "session", None)) or {}
    return as_uuid(data.get(SESSION_ID_KEY))


def _is_question(request: HttpRequest) -> bool:
    """Tell whether a request only asks for the status of its session, which is no use."""
    match = request.resolver_match
    if match is None or match.url_name != "status":
        return False
    return "live_single_session" in match.app_names
