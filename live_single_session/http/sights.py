"""Records that a browser is there which has no websocket here, with ``AWAY_SECONDS`` only.

Each process remembers whom it has seen, so that most requests cost nothing.
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
from live_single_session.registry import presence
from live_single_session.request_state import state_of

logger = logging.getLogger("live_single_session")

REMEMBERED = 10_000


class Memory:
    """The sessions that this process has seen last, up to a number.

    Args:
        size: that number. A session beyond it costs a query that finds nothing to do.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen: OrderedDict[UUID, float] = OrderedDict()
        self._lock = Lock()

    def is_due(self, session_id: UUID, seconds: float) -> bool:
        """Tell whether a session was not seen in so many seconds."""
        seen = self._seen.get(session_id)
        return seen is None or time.monotonic() - seen >= seconds

    def note(self, session_id: UUID) -> None:
        """Remember that a session is seen now."""
        with self._lock:
            self._seen[session_id] = time.monotonic()
            self._seen.move_to_end(session_id)
            if len(self._seen) > self._size:
                self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._seen.clear()


memory = Memory(REMEMBERED)


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
