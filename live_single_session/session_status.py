"""Where a browser stands: signed in to a live session, told of one that ended, or neither.

The cookie says who it is. The session that a page was made for only says which session
the page wants to hear of, so that a stale page can be told why.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.notices import EndNotice, notice_of, notice_of_missing
from live_single_session.registry import ending, records


@dataclass(frozen=True)
class SessionStatus:
    """What is to be done for a browser: watch its session, tell it something, or nothing.

    Attributes:
        session_id: the session that the browser is signed in to.
        user_pk: whose it is.
        notice: what to tell instead.
    """

    session_id: UUID | None = None
    user_pk: Any = None
    notice: EndNotice | None = None

    @property
    def signed_in(self) -> bool:
        """Whether the browser is signed in, perhaps again."""
        return self.session_id is not None


@sensitive_variables()
def status_of(
    session: SessionBase, user: Any, cookie: str | None, page: object = None
) -> SessionStatus:
    """Find out where a browser stands.

    Args:
        session: its session, loaded.
        user: who is signed in, perhaps nobody.
        cookie: the session cookie that it sent.
        page: the session that the page was made for, unchecked.
    """
    own = as_uuid(session.get(SESSION_ID_KEY)) if user.is_authenticated else None
    page_id = as_uuid(page)
    ended = ending.ended_among({key for key in (own, page_id) if key is not None})
    own_ended = own is not None and own in ended
    if page_id is not None and (row := ended.get(page_id)) is not None:
        return SessionStatus(None if own_ended else own, user.pk, notice_of(row))
    if own is not None and own_ended:
        row = ended[own]
        return SessionStatus(notice=notice_of(row) if row else notice_of_missing(own))
    if own is not None:
        return SessionStatus(own, user.pk)
    ended_id = as_uuid(getattr(session, "ended_session_id", None))
    if user.is_authenticated or (cookie is None and ended_id is None):
        return SessionStatus()
    row = records.find_session(cookie, ended_id)
    if row is None and ended_id is not None:
        return SessionStatus(notice=notice_of_missing(ended_id))
    if row is None or row.ended_at is None:
        return SessionStatus()
    return SessionStatus(notice=notice_of(row))
