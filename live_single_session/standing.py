"""Where a browser stands: signed in to a live session, told of one that ended, or neither.

The cookie says who it is. The session that a page was made for only says which session
the page wants to hear of, so that a stale page can be told why.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.views.decorators.debug import sensitive_variables

from live_single_session import registry
from live_single_session.farewell import Farewell, farewell_to, missing
from live_single_session.models import SESSION_ID_KEY, as_uuid


@dataclass(frozen=True)
class Standing:
    """What is to be done for a browser: watch its session, tell it something, or nothing.

    Attributes:
        session_id: the session that the browser is signed in to.
        user_pk: whose it is.
        farewell: what to tell instead.
    """

    session_id: UUID | None = None
    user_pk: Any = None
    farewell: Farewell | None = None

    @property
    def signed_in(self) -> bool:
        """Whether the browser is signed in, perhaps again."""
        return self.session_id is not None


@sensitive_variables()
def standing(
    session: SessionBase, user: Any, cookie: str | None, page: object = None
) -> Standing:
    """Find out where a browser stands.

    Args:
        session: its session, loaded.
        user: who is signed in, perhaps nobody.
        cookie: the session cookie that it sent.
        page: the session that the page was made for, unchecked.
    """
    own = as_uuid(session.get(SESSION_ID_KEY)) if user.is_authenticated else None
    page_id = as_uuid(page)
    ended = registry.ended_among({key for key in (own, page_id) if key is not None})
    own_ended = own is not None and own in ended
    if page_id is not None and (row := ended.get(page_id)) is not None:
        return Standing(None if own_ended else own, user.pk, farewell_to(row))
    if own is not None and own_ended:
        row = ended[own]
        return Standing(farewell=farewell_to(row) if row else missing(own))
    if own is not None:
        return Standing(own, user.pk)
    ended_id = as_uuid(getattr(session, "ended_session_id", None))
    if user.is_authenticated or (cookie is None and ended_id is None):
        return Standing()
    row = registry.recognise(cookie, ended_id)
    if row is None and ended_id is not None:
        return Standing(farewell=missing(ended_id))
    if row is None or row.ended_at is None:
        return Standing()
    return Standing(farewell=farewell_to(row))
