"""Start sessions: sign-ins by cookie and by token, and what the browser left behind."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Max, Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.exceptions import LoginRefused
from live_single_session.models import (
    SESSION_ID_KEY,
    EndReason,
    UserSession,
    as_uuid,
)
from live_single_session.registry import db, ending, engine, events, eviction, limits, records
from live_single_session.request_state import state_of
from live_single_session.site_urls import choose_url


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
        with db.locked({user.pk}) as now:
            known = records.here(session) | Q(pk__in=[row.pk for row in left], user_id=user.pk)
            rows = records.lock_rows(known, user, terms)
            current = _current(rows, user, session)
            if current is None:
                _take_fresh_key(session, rows)
                serial = _next_serial(user)
                if terms.expected_serial not in (None, serial):
                    raise LoginRefused(user, limits.oldest_first(rows, terms), terms, serial)
                current = records.insert(user, terms, request, now, serial)
                _end_left(rows, left, current, now)
                eviction.enforce_limit(rows, current, terms, now)
                db.on_commit(events.send_started, current, request)
            else:
                records.follow(current, session, now)
                _end_left(rows, left, current, now)
                if terms.on_limit == policy.END_OLDEST:  # the limit may be lower by now
                    eviction.enforce_limit(rows, current, terms, now)
            session[SESSION_ID_KEY] = str(current.pk)
            _save(session, current)
            db.on_commit(ending.finish, db.rows().of(user))
    except LoginRefused as refused:
        refused.asks = terms.on_limit == policy.ASK and choose_url() is not None
        state_of(request).refused = refused
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
    try:
        with db.locked({user.pk}) as now:
            rows = records.lock_rows(Q(pk__in=[]), user, terms)
            serial = _next_serial(user)
            if terms.expected_serial not in (None, serial):
                raise LoginRefused(user, limits.oldest_first(rows, terms), terms, serial)
            row = records.insert(user, terms, request, now, serial, token_lifetime=lifetime)
            eviction.enforce_limit(rows, row, terms, now)
            if issue is not None:
                issue(row)
            db.on_commit(events.send_started, row, request)
    except LoginRefused as refused:
        refused.asks = conf.ON_LIMIT == policy.ASK
        state_of(request).refused = refused
        events.send_refused(refused, request)
        raise
    return row


def leave(user: Any, request: HttpRequest) -> None:
    """End what a browser was signed in to before it tried in vain to sign in as a user.

    ``start()`` does so itself; but where that was rolled back with the view, it has to be
    done again.
    """
    _end_flushed(_left_by_browser(request), user)


@sensitive_variables()
def _left_by_browser(request: HttpRequest) -> list[UserSession]:
    """Return the sessions that the browser came with, or began, and may not go on with."""
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    started = state_of(request).started
    if not cookie and started is None:
        return []  # as most logins do, which needn't build a query to learn it
    left = records.of_key(cookie if cookie != request.session.session_key else None)
    if started is not None:
        left |= Q(pk=as_uuid(started.id))
    return list(db.rows().live().filter(left))


def _current(
    rows: Iterable[UserSession], user: Any, session: SessionBase
) -> UserSession | None:
    """Return the live row that this session already has, if it is this user's."""
    session_id = session.get(SESSION_ID_KEY)
    for row in rows:
        known = str(row.pk) == session_id or row.key_digest == records.digest_of(session)
        if known and row.ended_at is None and row.user_id == user.pk:
            return row
    return None


def _take_fresh_key(session: SessionBase, rows: Iterable[UserSession]) -> None:
    """Leave a key behind that another session had: what has ended never comes back."""
    if engine.keeps_keys() and records.digest_of(session) in {row.key_digest for row in rows}:
        session.cycle_key()


def _save(session: SessionBase, row: UserSession) -> None:
    """Make the engine hold what the registry says; else the next login finds it forgotten."""
    if engine.keeps_keys() and not engine.save(session):
        session.cycle_key()
        records.take_key(row, session)
        row.save(using=db.database(), update_fields=["session_key", "key_digest"])


def _next_serial(user: Any) -> int:
    newest: int | None = db.rows().of(user).aggregate(serial=Max("serial"))["serial"]
    return 1 if newest is None else newest + 1


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
            db.on_commit(ending.end_where, *switched)
