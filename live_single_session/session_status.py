"""Resolve a client's session status: live, ended or anonymous.

The cookie says who the client is. The id that a page sends only says which session the
page was made for, so that a page of an ended session can be told the reason.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.notices import EndNotice, notice_of, notice_of_unknown
from live_single_session.registry import ending, records


@dataclass(frozen=True)
class SessionStatus:
    """The status of a client: signed in to a live session, to be told of an end, or neither.

    Attributes:
        session_id: the live session that the client is signed in to.
        user_pk: the primary key of its user.
        notice: what to tell about a session that has ended.
    """

    session_id: UUID | None = None
    user_pk: Any = None
    notice: EndNotice | None = None

    @property
    def signed_in(self) -> bool:
        """Whether the client is signed in to a live session."""
        return self.session_id is not None


@sensitive_variables()
def status_of(
    session: SessionBase, user: Any, cookie: str | None, page: object = None
) -> SessionStatus:
    """Resolve the status of a client.

    Args:
        session: the client's session, loaded.
        user: its user, perhaps anonymous.
        cookie: the session cookie that it sent.
        page: the id of the session that its page was made for, untrusted.
    """
    own = as_uuid(session.get(SESSION_ID_KEY)) if user.is_authenticated else None
    page_id = as_uuid(page)
    ended = ending.ended_among({key for key in (own, page_id) if key is not None})
    own_ended = own is not None and own in ended
    if page_id is not None and (row := ended.get(page_id)) is not None:
        return SessionStatus(None if own_ended else own, user.pk, notice_of(row))
    if own is not None and own_ended:
        row = ended[own]
        return SessionStatus(notice=notice_of(row) if row else notice_of_unknown(own))
    if own is not None:
        return SessionStatus(own, user.pk)
    ended_id = as_uuid(getattr(session, "ended_session_id", None))
    if user.is_authenticated or (cookie is None and ended_id is None):
        return SessionStatus()
    row = records.find_session(cookie, ended_id)
    if row is None and ended_id is not None:
        return SessionStatus(notice=notice_of_unknown(ended_id))
    if row is None or row.ended_at is None:
        return SessionStatus()
    return SessionStatus(notice=notice_of(row))
