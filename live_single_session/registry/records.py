"""Find, insert and update single rows of the registry; the caller holds the user's lock."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session.client import client_of
from live_single_session.exceptions import Terms
from live_single_session.models import (
    SESSION_ID_KEY,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import db, ending, engine


def live_of(user: Any) -> list[UserSession]:
    """Return the user's live sessions, the newest first."""
    return list(db.rows().of(user).live().order_by("-serial"))


def lock_rows(known: Q, user: Any, terms: Terms) -> list[UserSession]:
    """Return the known rows and, if there is a limit, the user's live ones in this slot."""
    if terms.limit is not None:
        known |= Q(user=user, slot=terms.slot, ended_at__isnull=True)
    return list(db.for_update(db.rows().filter(known)))


@sensitive_variables()
def of_key(session_key: str | None) -> Q:
    if not session_key:
        return Q(pk__in=[])
    if engine.keeps_keys():
        return Q(key_digest=digest(session_key))
    return Q(pk=as_uuid(engine.store_class()(session_key).get(SESSION_ID_KEY)))


def digest_of(session: SessionBase) -> str:
    return digest(session.session_key or "")


def here(session: SessionBase) -> Q:
    """Match the rows that this session has, by its id and by its key."""
    by_id = Q(pk=as_uuid(session.get(SESSION_ID_KEY)))
    return by_id | of_key(session.session_key) if engine.keeps_keys() else by_id


def insert(
    user: Any,
    terms: Terms,
    request: HttpRequest | None,
    now: datetime,
    serial: int,
    token_lifetime: timedelta | None = None,
) -> UserSession:
    client = client_of(request)
    row = UserSession(
        user=user,
        slot=terms.slot,
        serial=serial,
        ip=client.ip,
        user_agent=client.user_agent,
        started_at=now,
    )
    if token_lifetime is not None:
        row.kind, row.expires_at = UserSession.Kind.TOKEN, now + token_lifetime
    elif request is not None:
        row.expires_at = expiry(request.session, now)
        take_key(row, request.session)
    row.save(force_insert=True, using=db.database())
    return row


def take_key(row: UserSession, session: SessionBase) -> None:
    if engine.keeps_keys() and session.session_key:
        row.session_key, row.key_digest = session.session_key, digest(session.session_key)


def follow(row: UserSession, session: SessionBase, now: datetime) -> None:
    """Record what a second login in the same browser changed."""
    row.expires_at = expiry(session, now)
    old_key = row.session_key
    take_key(row, session)
    row.save(using=db.database(), update_fields=["expires_at", "session_key", "key_digest"])
    if old_key not in ("", row.session_key):
        leave_behind(old_key, row)


def expiry(session: SessionBase, now: datetime) -> datetime:
    return now + timedelta(seconds=session.get_expiry_age())


@sensitive_variables()
def find_session(session_key: str | None, session_id: object = None) -> UserSession | None:
    """Return the row that a session key or an id belongs to, live or ended."""
    match = Q(pk=as_uuid(session_id)) if session_id else of_key(session_key)
    return db.rows().filter(match).select_related("replaced_by").first()


def live_row(session_id: object) -> UserSession | None:
    return db.for_update(db.rows().live().filter(Q(pk=as_uuid(session_id)))).first()


@sensitive_variables()
def leave_behind(old_key: str, row: UserSession) -> None:
    """Let nobody use an old key, which a racing read or a late save could bring back."""
    ending.suspect([old_key], [row])
