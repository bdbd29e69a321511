"""Start sessions, with a cookie or with tokens, and end those that they replace."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.exceptions import LoginRefused, PasswordChanged, Terms
from live_single_session.models import (
    SESSION_ID_KEY,
    EndReason,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import (
    cleanup,
    db,
    ending,
    engine,
    events,
    eviction,
    installation,
    lifecycle,
    limits,
    records,
)
from live_single_session.request_state import state_of
from live_single_session.site_urls import choose_url


def start(user: Any, request: HttpRequest) -> UserSession:
    """Record a sign-in and end the sessions that it evicts.

    A second sign-in in the same browser is the same session: nothing of its own ends.

    Args:
        user: who signed in.
        request: the request that did it; its ``session`` already belongs to the user.

    Returns:
        the session's row; its id is in ``request.session`` from now on.

    Raises:
        LoginRefused: the session limit is reached, and existing sessions are kept.
        PasswordChanged: the user's password has changed since it was checked.
        Busy: others have held the user's lock for too long.
        ImproperlyConfigured: a ``LIMIT`` callable returned what is no limit.
        Exception: whatever a ``LIMIT`` or ``SLOT`` callable raises.
    """
    return start_session(user, request.session, request)


def start_session(user: Any, session: Any, request: HttpRequest | None) -> UserSession:
    """Record a sign-in to a session, which need not be the request's own; see ``start()``."""
    terms = limits.terms_for(user, request)
    left = session.left
    try:
        with db.locked_user(user.pk) as lock:
            installation.note(lock.installation)
            records.check_password(user, lock.user)
            rows = _rows_here(session, user, terms)
            _finish_later(rows, user)
            current = _current(rows, user, session)
            if current is None:
                current = _begin(user, session, request, terms, rows, lock)
                eviction.enforce_limit(rows, current, terms, lock)
                session.begin(current)
                db.on_commit(events.send_started, current, request)
            else:
                _end_left(rows, current, lock, session)
                if terms.on_limit == policy.END_OLDEST:  # the limit may be lower by now
                    eviction.enforce_limit(rows, current, terms, lock)
                session.belongs_to(current)
    except LoginRefused as refused:
        refused.asks = terms.on_limit == policy.ASK and choose_url() is not None
        state_of(request).refused = refused
        end_left(left, user)
        raise
    except PasswordChanged:
        end_left(left, user)
        raise
    return current


def start_token(
    user: Any,
    request: HttpRequest | None,
    lifetime: timedelta,
    issue: Callable[[UserSession], None] | None = None,
) -> UserSession:
    """Record a sign-in that is carried by tokens, on the same terms as any other.

    Args:
        user: who signed in.
        request: the request that did it, if there is one.
        lifetime: how long the longest-lived token is valid.
        issue: makes the tokens; if it raises, there was no sign-in, and nothing has ended.

    Returns:
        the session's row; its id is what the tokens have to carry.

    Raises:
        LoginRefused, Busy, ImproperlyConfigured, Exception: see ``start()``.
    """
    terms = limits.terms_for(user, request)
    try:
        with db.locked_user(user.pk) as lock:
            rows = records.read_for_sign_in([], [], user, terms)
            _finish_later(rows, user)
            serial = _serial(user, rows, terms)
            row = records.insert(
                user, terms, request, lock.now, serial, token_lifetime=lifetime
            )
            eviction.enforce_limit(rows, row, terms, lock)
            if issue is not None:
                issue(row)
            db.on_commit(events.send_started, row, request)
    except LoginRefused as refused:
        refused.asks = conf.ON_LIMIT == policy.ASK
        state_of(request).refused = refused
        events.send_refused(refused, request)
        raise
    return row


def end_left(left: Sequence[tuple[Any, Any]], user: Any) -> None:
    """End the sessions that Django has flushed in a browser before a sign-in.

    Args:
        left: ids of sessions and of their users.
        user: who signed in, or tried to.
    """
    for session_id, user_pk in left:
        same_user = user_pk == user.pk
        reason = EndReason.LOGGED_OUT if same_user else EndReason.USER_SWITCHED
        ending.end_where(user_pk, reason, Q(pk=session_id))


@sensitive_variables()
def _rows_here(session: Any, user: Any, terms: Terms) -> list[UserSession]:
    """Read what a sign-in has to know, by this session's id and keys, and those it has left."""
    named = [as_uuid(session.get(SESSION_ID_KEY)), *(pk for pk, _ in session.left)]
    ids = [pk for pk in named if pk is not None]
    keys = set()
    if engine.keeps_keys(type(session)):
        keys = {session.session_key, session.stored_key, session.presented_key} - {None}
    return records.read_for_sign_in(ids, [digest(key) for key in keys], user, terms)


def _current(rows: Sequence[UserSession], user: Any, session: Any) -> UserSession | None:
    """Return the live row that this session already has, if it is this user's."""
    for row in rows:
        is_own = row.pk == session.row_id and row.user_id == user.pk
        if is_own and row.ended_at is None:
            return row
    return None


@sensitive_variables()
def _begin(
    user: Any,
    session: Any,
    request: HttpRequest | None,
    terms: Terms,
    rows: Sequence[UserSession],
    lock: db.Lock,
) -> UserSession:
    """Insert the row of a new session, and end the earlier ones of its browser."""
    serial = _serial(user, rows, terms)
    old_key = key = None
    if engine.keeps_keys(type(session)):
        known = {row.key_digest for row in rows} | {row.left_digest for row in rows}
        old_key = session.stored_key
        if session.is_unregistered and digest(old_key) not in known:
            lifecycle.bury(user, old_key, EndReason.SUPERSEDED)
        # An old key is not used again: another request may be writing to its session.
        if session.session_key in (None, old_key) or digest(session.session_key) in known:
            session.take_new_key()
        key = session.session_key
    row = records.insert(
        user,
        terms,
        request,
        lock.now,
        serial,
        session=session,
        session_key=key,
        left_key=old_key,
    )
    _end_left(rows, row, lock, session)
    return row


def _serial(user: Any, rows: Sequence[UserSession], terms: Terms) -> int:
    serial = records.next_serial(user, rows)
    if terms.expected_serial not in (None, serial):
        live = [row for row in rows if row.ended_at is None and row.slot == terms.slot]
        raise LoginRefused(user, limits.oldest_first(live, terms), terms, serial)
    return serial


def _end_left(
    rows: Sequence[UserSession], current: UserSession, lock: db.Lock, session: Any
) -> None:
    """End the earlier sessions of the browser that has signed in to ``current``."""
    ids = {pk for pk, _ in session.left} | _of_browser(rows, current, session)
    live = [row for row in rows if row.ended_at is None and row.pk != current.pk]
    left = [row for row in live if row.pk in ids]
    own = [row for row in left if row.user_id == current.user_id]
    ending.end_rows(own, EndReason.SUPERSEDED, lock.now, replaced_by=current)
    for row in left:
        if row.user_id != current.user_id:
            # On commit: waiting for one user's lock while holding another's can deadlock.
            # Django has flushed that session already.
            switched = (row.user_id, EndReason.USER_SWITCHED, Q(pk=row.pk), current)
            db.on_commit(ending.end_where, *switched)


@sensitive_variables()
def _of_browser(rows: Sequence[UserSession], current: UserSession, session: Any) -> set[Any]:
    """Return the user's sessions whose current or last key the browser has sent.

    The response with a newer key may have been lost, or the data may be gone.
    """
    if session.presented_key is None or not engine.keeps_keys(type(session)):
        return set()
    presented = digest(session.presented_key)
    own = (row for row in rows if row.user_id == current.user_id)
    return {row.pk for row in own if presented in (row.key_digest, row.left_digest)}


def _finish_later(rows: Sequence[UserSession], user: Any) -> None:
    """Finish, on commit, the unfinished work that the sign-in has found."""
    unfinished = [row.pk for row in rows if row.ended_at is not None and row.session_key]
    if unfinished:
        db.on_commit(cleanup.finish, db.rows().filter(pk__in=unfinished))
    if events.has_receivers():
        db.on_commit(cleanup.announce_untold, db.rows().of(user))
