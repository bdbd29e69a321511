"""The rule that decides whether a session key opens a session.

Only the current key of a live session opens it. A key that no row knows belongs to a
session from before the installation, and opens it until it is adopted.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import (
    INSTALLATION_KEY,
    SESSION_ID_KEY,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import (
    db,
    ending,
    engine,
    installation,
    lifecycle,
    records,
    time_limits,
    uses,
)


@dataclass(frozen=True)
class Verdict:
    """Whether a key opens a session, and what the client may be told.

    Attributes:
        opens: whether it does.
        row_id: the id of the live session; None: one that is to be adopted.
        expires_at: when it expires, if its row was read.
        ended_id: the id of the session that has ended, or has no row any more.
        is_replaced: whether it is an earlier key of a live session, or one of another
            installation: the client is told nothing, and keeps its cookie.
    """

    opens: bool
    row_id: uuid.UUID | None = None
    expires_at: datetime | None = None
    ended_id: uuid.UUID | None = None
    is_replaced: bool = False


ADOPTABLE = Verdict(opens=True)
REPLACED = Verdict(opens=False, is_replaced=True)


@sensitive_variables()
def live_id_of(session_key: str) -> uuid.UUID | None:
    """Return the id of the live session whose current key this is, in one query."""
    rows = db.rows().live().filter(time_limits.within(), key_digest=digest(session_key))
    if time_limits.in_force():
        row = uses.look(rows)
        return None if row is None else row.pk
    found: uuid.UUID | None = rows.values_list("pk", flat=True).first()
    return found


@sensitive_variables()
def is_current(row: UserSession, session_key: str | None) -> bool:
    """Tell whether a key is the current one of a live session; tokens and cookies have none."""
    return row.key_digest in (None, digest(session_key or ""))


@sensitive_variables()
def judge(session_key: str, data: Mapping[str, Any]) -> Verdict:
    """Decide whether a key opens the signed-in session that is stored under it."""
    return judge_by(live_id_of(session_key), session_key, data)


@sensitive_variables()
def judge_by(live_id: uuid.UUID | None, session_key: str, data: Mapping[str, Any]) -> Verdict:
    """Decide whether a key opens a session, where its live row has been looked up already.

    Args:
        live_id: the live session whose current key this is, if any.
        session_key: the key.
        data: what is stored under it; somebody is signed in there.
    """
    named = as_uuid(data.get(SESSION_ID_KEY))
    if live_id is not None and named in (None, live_id):
        return Verdict(opens=True, row_id=live_id)
    if named is None:
        return _judge_unnamed(session_key)
    return _judge_named(named, session_key, data)


def judge_id(data: Mapping[str, Any]) -> Verdict:
    """Decide by the id alone, where the cookie is the session itself."""
    named = as_uuid(data.get(SESSION_ID_KEY))
    row = None if named is None else uses.look(db.rows().filter(pk=named))
    if row is not None and not _is_over(row):
        return Verdict(opens=True, row_id=row.pk, expires_at=row.expires_at)
    return Verdict(opens=False, ended_id=named)


def _is_over(row: Any) -> bool:
    """Tell whether a session has ended, or ends now because its time is over."""
    if row.ended_at is not None:
        return True
    return time_limits.is_over(row, row.registry_now) and ending.end_overdue(row)


@sensitive_variables()
def _judge_unnamed(session_key: str) -> Verdict:
    """Decide about a session without an id, by any row that knows its key."""
    row = uses.look(db.rows().filter(records.knows(session_key)))
    if row is None:
        return ADOPTABLE
    if _is_over(row):
        return Verdict(opens=False, ended_id=row.pk)
    if row.key_digest == digest(session_key):  # it has been adopted since it was looked up
        return Verdict(opens=True, row_id=row.pk, expires_at=row.expires_at)
    return REPLACED


@sensitive_variables()
def _judge_named(named: uuid.UUID, session_key: str, data: Mapping[str, Any]) -> Verdict:
    row = uses.look(db.rows().filter(pk=named))
    if row is None:
        return _judge_unknown(named, session_key, data)
    if _is_over(row):
        return Verdict(opens=False, ended_id=row.pk)
    if _may_take_over(row, session_key, data) and lifecycle.take_over(row, session_key):
        return Verdict(opens=True, row_id=row.pk)
    return REPLACED


@sensitive_variables()
def _judge_unknown(named: uuid.UUID, session_key: str, data: Mapping[str, Any]) -> Verdict:
    name = data.get(INSTALLATION_KEY)
    if name in (None, installation.refreshed()):
        return Verdict(opens=False, ended_id=named)
    return _judge_unnamed(session_key) if installation.is_earlier(name) else REPLACED


@sensitive_variables()
def _may_take_over(row: UserSession, session_key: str, data: Mapping[str, Any]) -> bool:
    """Tell whether a key may have been made by another engine, which recorded none."""
    if digest(session_key) == row.left_digest or not row.session_key:
        return False
    same_user = data.get(SESSION_KEY) == str(row.user_id)
    return same_user and not engine.data_of(row.session_key)
