"""Find and insert rows of the registry; to insert one, hold its user's lock."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Min, Q, Subquery
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session.client import client_of
from live_single_session.exceptions import PasswordChanged, Terms
from live_single_session.models import (
    SESSION_ID_KEY,
    AnyUser,
    UserSession,
    as_uuid,
    digest,
    id_of_key,
)
from live_single_session.registry import compiled, db, engine


def live_of(user: Any) -> list[UserSession]:
    """Return the user's live sessions, the newest first."""
    return list(db.rows().of(user).live().order_by("-serial"))


def live_row(session_id: uuid.UUID | None) -> UserSession | None:
    """Return the row of a session, if it is live."""
    return db.rows().live().filter(Q(pk=session_id)).first()


@sensitive_variables()
def knows(session_key: str) -> Q:
    """Match the rows that know a key: as their current one, the one before, or the first."""
    key_digest = digest(session_key)
    by_key = Q(key_digest=key_digest) | Q(left_digest=key_digest)
    return by_key | Q(pk=id_of_key(session_key))


def read(known: Q, user: Any, terms: Terms) -> list[UserSession]:
    """Return the known rows and, if there is a limit, the user's live ones in this slot."""
    if terms.limit is not None:
        known |= Q(user_id=AnyUser(user.pk), slot=terms.slot, ended_at__isnull=True)
    return list(db.rows().filter(known))


@sensitive_variables()
def read_for_sign_in(
    ids: Sequence[uuid.UUID], digests: Sequence[str], user: Any, terms: Terms
) -> list[UserSession]:
    """Return all that a sign-in has to know, in one query.

    Beside what ``read()`` returns these are the user's unfinished rows, and the one with
    the highest serial.

    Args:
        ids: of the sessions that the browser has, and of those that it has left.
        digests: of the keys that it has, and has had.
        user: who signs in.
        terms: what the sign-in is subject to.
    """
    values = {"user": user.pk, "slot": terms.slot}
    values |= {f"id{n}": pk for n, pk in enumerate(ids)}
    values |= {f"digest{n}": key_digest for n, key_digest in enumerate(digests)}
    has_limit = terms.limit is not None
    return _sign_in_query(db.database(), len(ids), len(digests), has_limit).fetch(values)


@lru_cache(maxsize=64)
def _sign_in_query(using: str, ids: int, digests: int, has_limit: bool) -> compiled.Select:
    # PostgreSQL takes the user for an average one, and doesn't see that it is the same one
    # everywhere. So it looks up each part by an index of its own, and reads no other row of a
    # user who has many ended sessions.
    def user(name: str) -> Any:
        return compiled.parameter("user", _field("user"), f"(SELECT %s AS {name})")

    ordered = db.rows().filter(user_id=user("owner")).order_by("-serial")
    wanted = Q(user_id=user("unfinished"), session_key__gt="", ended_at__isnull=False)
    wanted |= Q(user_id=user("last"), serial=Subquery(ordered.values("serial")[:1]))
    if has_limit:
        slot = compiled.parameter("slot", _field("slot"))
        wanted |= Q(user_id=user("live"), slot=slot, ended_at__isnull=True)
    wanted |= Q(pk__in=[compiled.parameter(f"id{n}", _field("id")) for n in range(ids)])
    for n in range(digests):
        key_digest = compiled.parameter(f"digest{n}", _field("key_digest"))
        wanted |= Q(key_digest=key_digest) | Q(left_digest=key_digest)
    return compiled.Select.of(db.rows().filter(wanted))


def _field(name: str) -> Any:
    return UserSession._meta.get_field(name)


def check_password(user: Any, current: Any) -> None:
    """Raise PasswordChanged if the password was changed after it had been checked.

    The user's lock is held. A later change finds the new session and ends it; one before
    the lock could not.
    """
    checked = user.__dict__.get("password")
    if checked is not None and checked != current.__dict__.get("password", checked):
        raise PasswordChanged


def next_serial(user: Any, rows: Sequence[UserSession]) -> int:
    """Return the serial of the user's next sign-in, by what ``read_for_sign_in()`` found."""
    return 1 + max((row.serial for row in rows if row.user_id == user.pk), default=0)


def first_serial(user: Any) -> int:
    """Return a serial for a session that is older than every sign-in that was recorded."""
    oldest: int | None = db.rows().of(user).aggregate(serial=Min("serial"))["serial"]
    return 1 if oldest is None else oldest - 1


def insert(
    user: Any,
    terms: Terms,
    request: HttpRequest | None,
    now: datetime,
    serial: int,
    *,
    session: SessionBase | None = None,
    session_key: str | None = None,
    session_id: uuid.UUID | None = None,
    left_key: str | None = None,
    token_lifetime: timedelta | None = None,
) -> UserSession:
    """Insert the row of a new session.

    Args:
        user: whose.
        terms: what the sign-in was subject to.
        request: the request that signed in, if there is one.
        now: the database's time.
        serial: its position among the user's sign-ins.
        session: the session that signed in, unless tokens carry it.
        session_key: the key by which it is known.
        session_id: its id, if that is not to be a random one.
        left_key: the key that it had before.
        token_lifetime: how long tokens carry it, where tokens do.
    """
    client = client_of(request)
    row = UserSession(
        user_id=user.pk,
        slot=terms.slot,
        serial=serial,
        ip=client.ip,
        user_agent=client.user_agent,
        device=client.device,
        started_at=now,
    )
    remember_user(row, user)
    row.ends_at, row.ends_by = terms.time.end_of(now, now)
    row.last_seen_at = None if terms.time.idle is None else now
    if token_lifetime is not None:
        row.kind, row.expires_at = UserSession.Kind.TOKEN, now + token_lifetime
    elif session is not None:
        row.expires_at = expiry(session, now)
    row.pk = session_id or row.pk
    if session_key:
        row.session_key, row.key_digest = session_key, digest(session_key)
    row.left_digest = digest(left_key) if left_key else None
    _insert(row)
    return row


def _insert(row: UserSession) -> None:
    using = db.database()
    fields = row._meta.concrete_fields
    _insertion(using).run({field.attname: field.pre_save(row, True) for field in fields})
    row._state.adding, row._state.db = False, using


@lru_cache(maxsize=64)
def _insertion(using: str) -> compiled.Statement:
    return compiled.insert(UserSession, using)


def remember_user(row: UserSession, user: Any) -> None:
    """Let receivers find the user, who may be deleted before they run.

    Not ``row.user = user``: a router that knows nothing of relations forbids that where the
    user was read from a replica.
    """
    UserSession._meta.get_field("user").set_cached_value(row, user)


def expiry(session: SessionBase, now: datetime) -> datetime:
    """Return when a session expires."""
    return now + timedelta(seconds=session.get_expiry_age())


@sensitive_variables()
def find_session(session_key: str | None, session_id: object = None) -> UserSession | None:
    """Return the row that a session key or an id belongs to, live or ended.

    The key may be its current one, or the one before.
    """
    if session_id:
        match = Q(pk=as_uuid(session_id))
    elif not session_key:
        return None
    elif engine.keeps_keys():
        match = knows(session_key)
    else:
        match = Q(pk=as_uuid(engine.data_of(session_key).get(SESSION_ID_KEY)))
    return db.rows().filter(match).select_related("replaced_by").first()
