"""How sessions begin and go on: logins, adoption, rotated keys, longer lives."""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Max, Min, Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session import engine, policy
from live_single_session.client import client_of
from live_single_session.context import started_in
from live_single_session.models import (
    SESSION_ID_KEY,
    EndReason,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import announcements, ending, limits, room, table


def live(user: Any) -> list[UserSession]:
    """Return the user's live sessions, the newest first."""
    return list(table.rows().of(user).live().order_by("-serial"))


def start(user: Any, request: HttpRequest) -> UserSession:
    """Record a login and end the sessions that have to give way to it.

    A second login in the same browser is the same session: nothing of its own ends.

    Args:
        user: who signed in.
        request: the request that did it; its ``session`` already belongs to the user.

    Returns:
        the session's row; its id is in ``request.session`` from now on.

    Raises:
        LoginRefused: there is no place left, and the policy is not to make one.
        ImproperlyConfigured: a ``LIMIT`` callable returned what is no limit.
        Exception: whatever a ``LIMIT`` or ``SLOT`` callable raises.
    """
    terms = limits.terms_for(user, request)
    session = request.session
    if engine.keeps_keys() and session.session_key is None:
        session.save()  # a switch of users has flushed it, and left it without a key
    left = _left_by_browser(request)
    try:
        with table.locked({user.pk}) as now:
            known = _here(session) | Q(pk__in=[row.pk for row in left], user_id=user.pk)
            rows = _lock_rows(known, user, terms)
            current = _current(rows, user, session)
            if current is None:
                _take_fresh_key(session, rows)
                serial = _next_serial(user)
                if terms.as_of not in (None, serial):
                    raise limits.LoginRefused(user, terms.oldest_first(rows), terms, serial)
                current = _insert(user, terms, request, now, serial)
                _end_left(rows, left, current, now)
                room.make_room(rows, current, terms, now)
                table.on_commit(announcements.announce_start, current, request)
            else:
                _follow(current, session, now)
                _end_left(rows, left, current, now)
                if terms.on_limit == policy.END_OLDEST:  # the limit may be lower by now
                    room.make_room(rows, current, terms, now)
            session[SESSION_ID_KEY] = str(current.pk)
            _save(session, current)
            table.on_commit(ending.finish, table.rows().of(user))
    except limits.LoginRefused:
        _end_flushed(left, user)
        raise
    return current


def start_token(
    user: Any,
    request: HttpRequest | None,
    lifetime: timedelta,
    issue: Callable[[UserSession], None] | None = None,
) -> UserSession:
    """Record a login that is carried by tokens, on the same terms as any other.

    Args:
        user: who signed in.
        request: the request that did it, if there is one.
        lifetime: how long the longest-lived token is valid.
        issue: makes the tokens; if it raises, there was no login, and nothing has ended.

    Returns:
        the session's row; its id is what the tokens have to carry.

    Raises:
        LoginRefused, ImproperlyConfigured, Exception: see ``start()``.
    """
    terms = limits.terms_for(user, request)
    with table.locked({user.pk}) as now:
        rows = _lock_rows(Q(pk__in=[]), user, terms)
        serial = _next_serial(user)
        if terms.as_of not in (None, serial):
            raise limits.LoginRefused(user, terms.oldest_first(rows), terms, serial)
        row = _insert(user, terms, request, now, serial, token_lifetime=lifetime)
        room.make_room(rows, row, terms, now)
        if issue is not None:
            issue(row)
        table.on_commit(announcements.announce_start, row, request)
    return row


def prolong(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Let a session that tokens carry live for at least so long from now.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=True)


def set_lifetime(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Record for how long a session that has just begun lives.

    Returns:
        False if the session has ended meanwhile.
    """
    return _set_expiry(session_id, user_pk, lifetime, at_least=False)


def leave(user: Any, request: HttpRequest) -> None:
    """End what a browser was signed in to before it tried in vain to sign in as a user.

    ``start()`` does so itself; but where that was rolled back with the view, it has to be
    done again.
    """
    _end_flushed(_left_by_browser(request), user)


@sensitive_variables()
def rotate(
    session_id: object, user_pk: object, old_key: str | None, new_key: str
) -> str | None:
    """Follow a session to its new key.

    Args:
        session_id: which one.
        user_pk: whose.
        old_key: the key that it came with; None where that is not known.
        new_key: the key that it has now, perhaps the same.

    Returns:
        the key that the session has from now on, which is another one if another request
        was first to give it a new key; None if the session has ended meanwhile. Only what
        is returned may be used: what the registry doesn't know, it can't end.
    """
    known = table.rows().live().filter(Q(pk=as_uuid(session_id)), key_digest=digest(new_key))
    if known.exists():
        return new_key
    try:
        with table.locked({user_pk}) as now:
            row = _live_row(session_id)
            if row is None:
                return None
            if row.session_key not in ("", old_key, new_key) and ending.is_held(row, now):
                return row.session_key
            old_key = old_key or row.session_key
            row.session_key, row.key_digest = new_key, digest(new_key)
            row.save(using=table.database(), update_fields=["session_key", "key_digest"])
            _leave_behind(old_key, row)
            return new_key
    except get_user_model().DoesNotExist:
        return None


@sensitive_variables()
def adopt(user: Any, request: HttpRequest) -> UserSession | None:
    """Give a row to a session that the registry has never seen.

    It never ends another one: where there is no place left, it gives way itself.

    Returns:
        its row; its id is in ``request.session`` from now on. None if it had to give way,
        or if a ``LIMIT`` or ``SLOT`` callable raised.
    """
    try:
        terms = limits.terms_for(user, request)
    except Exception:
        return None  # it is in the log; the session's next request tries again
    session = request.session
    # It may have got a new key in this very request.
    keys = (session.session_key, request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    digests = {digest(key) for key in keys if key} if engine.keeps_keys() else set()
    try:
        with table.locked({user.pk}) as now:
            rows = _lock_rows(_here(session) | Q(key_digest__in=digests), user, terms)
            row = next((r for r in rows if r.key_digest in digests), None)
            if row is not None and row.ended_at is None:
                _follow(row, session, now)
            elif row is None:
                row = _insert(user, terms, request, now, _first_serial(user))
                room.give_way(row, rows, terms, now)
    except get_user_model().DoesNotExist:
        return None
    if row.ended_at is not None:
        return None
    session[SESSION_ID_KEY] = str(row.pk)
    return row


def touch(session_id: uuid.UUID, seconds: float) -> bool:
    """Record that a session is in use; free of locks, since it decides nothing yet.

    Args:
        session_id: which one.
        seconds: for how long a record that there is already will do.

    Returns:
        whether there was something to record.
    """
    stale = Q(last_seen_at__isnull=True) | Q(
        last_seen_at__lt=table.Now() - timedelta(seconds=seconds)
    )
    live = table.rows().live().filter(stale, pk=session_id)
    return live.update(last_seen_at=table.Now()) == 1


@sensitive_variables()
def recognise(session_key: str | None, session_id: object = None) -> UserSession | None:
    """Return the row that a session key or an id belongs to, live or ended."""
    match = Q(pk=as_uuid(session_id)) if session_id else _of_key(session_key)
    return table.rows().filter(match).select_related("replaced_by").first()


def _live_row(session_id: object) -> UserSession | None:
    return table.for_update(table.rows().live().filter(Q(pk=as_uuid(session_id)))).first()


def _lock_rows(known: Q, user: Any, terms: limits.Terms) -> list[UserSession]:
    """Return the known rows and, if there is a limit, the user's live ones in this slot."""
    if terms.limit is not None:
        known |= Q(user=user, slot=terms.slot, ended_at__isnull=True)
    return list(table.for_update(table.rows().filter(known)))


@sensitive_variables()
def _of_key(session_key: str | None) -> Q:
    if not session_key:
        return Q(pk__in=[])
    if engine.keeps_keys():
        return Q(key_digest=digest(session_key))
    return Q(pk=as_uuid(engine.store_class()(session_key).get(SESSION_ID_KEY)))


def _digest_of(session: SessionBase) -> str:
    return digest(session.session_key or "")


def _here(session: SessionBase) -> Q:
    """Match the rows that this session has, by its id and by its key."""
    by_id = Q(pk=as_uuid(session.get(SESSION_ID_KEY)))
    return by_id | _of_key(session.session_key) if engine.keeps_keys() else by_id


@sensitive_variables()
def _left_by_browser(request: HttpRequest) -> list[UserSession]:
    """Return the sessions that the browser came with, or began, and may not go on with."""
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    started = started_in(request)
    if not cookie and started is None:
        return []  # as most logins do, which needn't build a query to learn it
    left = _of_key(cookie if cookie != request.session.session_key else None)
    if started is not None:
        left |= Q(pk=as_uuid(started.id))
    return list(table.rows().live().filter(left))


def _current(
    rows: Iterable[UserSession], user: Any, session: SessionBase
) -> UserSession | None:
    """Return the live row that this session already has, if it is this user's."""
    session_id = session.get(SESSION_ID_KEY)
    for row in rows:
        known = str(row.pk) == session_id or row.key_digest == _digest_of(session)
        if known and row.ended_at is None and row.user_id == user.pk:
            return row
    return None


def _take_fresh_key(session: SessionBase, rows: Iterable[UserSession]) -> None:
    """Leave a key behind that another session had: what has ended never comes back."""
    if engine.keeps_keys() and _digest_of(session) in {row.key_digest for row in rows}:
        session.cycle_key()


def _insert(
    user: Any,
    terms: limits.Terms,
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
        row.expires_at = _expiry(request.session, now)
        _take_key(row, request.session)
    row.save(force_insert=True, using=table.database())
    return row


def _set_expiry(
    session_id: object, user_pk: object, lifetime: timedelta, *, at_least: bool
) -> bool:
    try:
        with table.locked({user_pk}) as now:
            row = _live_row(session_id)
            if row is None:
                return False
            earliest = row.expires_at if at_least else None
            row.expires_at = max(earliest or now, now + lifetime)
            row.save(using=table.database(), update_fields=["expires_at"])
            return True
    except get_user_model().DoesNotExist:
        return False


def _take_key(row: UserSession, session: SessionBase) -> None:
    if engine.keeps_keys() and session.session_key:
        row.session_key, row.key_digest = session.session_key, digest(session.session_key)


@sensitive_variables()
def _leave_behind(old_key: str, row: UserSession) -> None:
    """Let nobody use an old key, which a racing read or a late save could bring back."""
    ending.suspect([old_key], [row])


def _follow(row: UserSession, session: SessionBase, now: datetime) -> None:
    """Record what a second login in the same browser changed."""
    row.expires_at = _expiry(session, now)
    old_key = row.session_key
    _take_key(row, session)
    row.save(using=table.database(), update_fields=["expires_at", "session_key", "key_digest"])
    if old_key not in ("", row.session_key):
        _leave_behind(old_key, row)


def _save(session: SessionBase, row: UserSession) -> None:
    """Make the engine hold what the registry says; else the next login finds it forgotten."""
    if engine.keeps_keys() and not engine.save(session):
        session.cycle_key()
        _take_key(row, session)
        row.save(using=table.database(), update_fields=["session_key", "key_digest"])


def _expiry(session: SessionBase, now: datetime) -> datetime:
    return now + timedelta(seconds=session.get_expiry_age())


def _next_serial(user: Any) -> int:
    newest: int | None = table.rows().of(user).aggregate(serial=Max("serial"))["serial"]
    return 1 if newest is None else newest + 1


def _first_serial(user: Any) -> int:
    """An adopted session is older than every login that was recorded."""
    oldest: int | None = table.rows().of(user).aggregate(serial=Min("serial"))["serial"]
    return 1 if oldest is None else oldest - 1


def _end_flushed(left: Iterable[UserSession], user: Any) -> None:
    """End what Django has flushed: the browser is no longer signed in to it."""
    for row in left:
        same_user = row.user_id == user.pk
        ending.end(row, EndReason.LOGGED_OUT if same_user else EndReason.USER_SWITCHED)


def _end_left(
    rows: Iterable[UserSession],
    left: Iterable[UserSession],
    current: UserSession,
    now: datetime,
) -> None:
    """End what the browser was signed in to before it signed in to ``current``."""
    ids = {row.pk for row in left if row.pk != current.pk}
    own = [row for row in rows if row.pk in ids and row.ended_at is None]
    ending.end_rows(own, EndReason.SUPERSEDED, now, replaced_by=current)
    for row in left:
        if row.user_id != current.user_id:
            # Not here: whoever waits for one user's lock while holding another's deadlocks
            # with those who go the other way. Django has flushed that session already.
            switched = (row.user_id, EndReason.USER_SWITCHED, Q(pk=row.pk), current)
            table.on_commit(ending.end_where, *switched)
