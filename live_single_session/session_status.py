"""Resolve a client's session status: live, ended or anonymous.

The cookie says who the client is. The id that a page sends only says which session the
page was made for, so that a page of an ended session can be told the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q

from live_single_session.models import SESSION_ID_KEY, UserSession, as_uuid, digest
from live_single_session.notices import EndNotice, notice_of, notice_of_unknown
from live_single_session.registry import db, ending
from live_single_session.session_user import is_of_user_model, pk_in_session


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


def status_of(
    session: SessionBase, user: Any, cookie_digest: str | None, page: object = None
) -> SessionStatus:
    """Resolve the status of a client.

    The id of an ended session, which may stand in a log, tells nobody but its own browser
    and its own user more than the bare reason; and another user nothing at all.

    Args:
        session: its session, loaded.
        user: who is signed in, perhaps nobody.
        cookie_digest: the digest of the session cookie that it sent.
        page: the session that the page was made for, unchecked.
    """
    own = own_id(session, user)
    page_id = as_uuid(page)
    ended = ending.ended_among({key for key in (own, page_id) if key is not None})
    own_ended = own is not None and own in ended
    if page_id is not None and (row := ended.get(page_id)) is not None:
        if user.is_authenticated and row.user_id == user.pk:
            return SessionStatus(None if own_ended else own, user.pk, notice_of(row))
        if not user.is_authenticated:
            is_its_own = _row_of_cookie(session, cookie_digest) == row
            notice = notice_of(row)
            return SessionStatus(notice=notice if is_its_own else notice.bare())
    if own is not None and own_ended:
        row = ended[own]
        return SessionStatus(notice=notice_of(row) if row else notice_of_unknown(own))
    if own is not None:
        return SessionStatus(own, user.pk)
    if user.is_authenticated:
        return SessionStatus()
    row = _row_of_cookie(session, cookie_digest)
    if row is not None:
        return SessionStatus(notice=notice_of(row) if row.ended_at is not None else None)
    unknown = as_uuid(getattr(session, "ended_session_id", None))
    return SessionStatus(notice=None if unknown is None else notice_of_unknown(unknown))


def own_id(session: Mapping[str, Any] | SessionBase, user: Any) -> UUID | None:
    """Return the id of the session that a user is signed in to.

    Args:
        session: a session, or its data.
        user: who is signed in, perhaps by a token beside the session of somebody else.
    """
    if not user.is_authenticated:
        return None
    of_user = session.get(SESSION_KEY)
    if of_user is not None and not (is_of_user_model(user) and of_user == pk_in_session(user)):
        return None
    return as_uuid(session.get(SESSION_ID_KEY))


def cookie_digest(cookies: Mapping[str, str]) -> str | None:
    """Return the digest of a browser's session cookie; a key of it is in no variable."""
    name = settings.SESSION_COOKIE_NAME
    return digest(cookies[name]) if cookies.get(name) else None


def _row_of_cookie(session: SessionBase, cookie_digest: str | None) -> UserSession | None:
    """Return the session that a browser's cookie was for, live or ended."""
    ended_id = as_uuid(getattr(session, "ended_session_id", None))
    if ended_id is not None:
        match = Q(pk=ended_id)
    elif cookie_digest is not None:
        match = Q(key_digest=cookie_digest)
    else:
        return None
    return db.rows().filter(match).select_related("replaced_by").first()
