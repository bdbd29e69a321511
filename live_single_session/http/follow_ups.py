"""What there is to do about a request's session before its response goes out.

It is decided without I/O, and done by one synchronous function, in a thread if need be.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session import registry
from live_single_session.django_internals import (
    keep_session_cookie,
    loaded_data,
    loaded_user,
    skip_session_cookie,
    user_found_by_django,
)
from live_single_session.http import activity, refusals, responses
from live_single_session.models import SESSION_ID_KEY, EndReason, UserSession, as_uuid
from live_single_session.notices import HEADER, notice_of
from live_single_session.registry import ending, engine, lifecycle, records
from live_single_session.request_state import state_of

FollowUp = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


def follow_up_for(request: HttpRequest, response: HttpResponseBase) -> FollowUp | None:
    """Return what has to be done before this response goes out; None, as a rule."""
    if follow_up := _about_session(request, response):
        return follow_up
    return activity.record if activity.is_due(request) else None


def _about_session(request: HttpRequest, response: HttpResponseBase) -> FollowUp | None:
    session = getattr(request, "session", None)
    data = loaded_data(session)
    if session is None or data is None:
        return None
    # Django saves no session and sets no cookie for a response that failed.
    if response.status_code >= 500:
        if state_of(request).refused is not None:
            return refuse
        return abandon_login if _is_login_lost(request) else None
    if HEADER in response.headers:
        return None
    if SESSION_KEY not in data:
        if state_of(request).started is not None:
            return abandon_login
        return explain if _has_dead_cookie(request, session) else None
    if SESSION_ID_KEY not in data:
        return adopt if _user_of(request, data) else None
    if _was_rolled_back(request, data):
        return undo_login
    if engine.keeps_keys() and session.session_key != _known_key(request):
        return follow_key
    if _is_turned_away(request):
        return check_user
    if _lasts_otherwise(request, session, data):
        return note_expiry
    return check_cookie if _is_cookie_renewed(request, session) else None


def adopt(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give a row to a session from before the installation."""
    if not _go_back_to_old_key(request):
        lifecycle.adopt(_user_of(request, request.session), request)
    return response


def refuse(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Answer a request whose login found no place, where a middleware has tried it."""
    refused = state_of(request).refused
    return response if refused is None else refusals.answer_everywhere(request, refused)


def undo_login(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Sign out whom a login signed in that was rolled back, and leave the browser as it was."""
    session = request.session
    # In a site's TestCase no login is ever committed, and yet it is there.
    if records.find_session(None, session[SESSION_ID_KEY]) is None:
        session.delete()
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = engine.store_class()(cookie)
    return response


@sensitive_variables()
def follow_key(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record a session's new key, or drop it if the session has ended meanwhile."""
    session = request.session
    old_key, new_key = _known_key(request), session.session_key
    session_id, user_pk = session[SESSION_ID_KEY], session[SESSION_KEY]
    if new_key is None or _go_back_to_old_key(request):
        return response
    if "_session_expiry" in session:  # the old key is suspect for as long as it may be cached
        note_expiry(request, response)
    key = lifecycle.rotate(session_id, user_pk, old_key, new_key)
    if key != new_key:
        session.delete(new_key)
        # The browser keeps the dead cookie, by which the next request is told.
        session._session_key = key or old_key
        session.modified = key is not None
    return response


@sensitive_variables()
def _go_back_to_old_key(request: HttpRequest) -> bool:
    """Go on with a session's old key if its new one was rolled back with the view.

    Returns:
        whether it was.
    """
    old_key, new_key = _known_key(request), request.session.session_key
    if not engine.keeps_keys() or new_key in (None, old_key) or engine.has(new_key):
        return False
    request.session = engine.store_class()(old_key)
    request.session.modified = state_of(request).started is not None  # no browser has it yet
    return True


def note_expiry(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record how long a session lasts, where that isn't what the registry knows."""
    session = request.session
    lifetime = timedelta(seconds=session.get_expiry_age())
    if not engine.keeps_keys():  # it has to be recorded again and again, but not each time
        lifetime *= 1.1
    note = lifecycle.prolong if state_of(request).started is None else lifecycle.set_lifetime
    if not note(session[SESSION_ID_KEY], session[SESSION_KEY], lifetime):
        skip_session_cookie(response)
    return response


def check_cookie(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Renew no cookie of a session that ended meanwhile: its browser may have a newer one."""
    session_id = as_uuid(request.session[SESSION_ID_KEY])
    if session_id is None or ending.ended_among([session_id]):
        skip_session_cookie(response)
    return response


def abandon_login(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """End the session of a login whose view failed later, or flushed it: no browser gets it."""
    started = state_of(request).started
    row = records.find_session(None, started.id) if started else None
    if row is not None:
        registry.end(row, EndReason.LOGGED_OUT)
    return response


def check_user(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """End the session of a user who is no longer let in."""
    session_id = as_uuid(request.session[SESSION_ID_KEY])
    row = ending.ended_among([session_id]).get(session_id) if session_id else None
    if row is None:
        return response
    request.session.flush()
    return tell(request, response, row)


@sensitive_variables()
def explain(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Tell the bearer of a dead cookie why it is dead."""
    cookie = request.COOKIES[settings.SESSION_COOKIE_NAME]
    session_id = getattr(request.session, "ended_session_id", None)
    row = records.find_session(cookie, session_id)
    if row is not None and row.ended_at is None:
        row = _end_forgotten(request, row)
    return response if row is None else tell(request, response, row)


def _end_forgotten(request: HttpRequest, row: UserSession) -> UserSession | None:
    """End a session that the engine has forgotten, unless it may live on with another key.

    Returns:
        what to tell, if anything.
    """
    if _was_flushed(request):
        if not _was_refused(request):  # the view has signed its user out, in its own way
            registry.end(row, EndReason.LOGGED_OUT)
            return None
    elif row.expires_at is None or row.expires_at > timezone.now():
        # Another request may be about to bring its new key to the browser: that cookie
        # must not be deleted by this answer.
        keep_session_cookie(request)
        return None
    registry.end(row, EndReason.EXPIRED)
    return records.find_session(None, row.pk)


def tell(
    request: HttpRequest, response: HttpResponseBase, row: UserSession
) -> HttpResponseBase:
    """Return the answer to a request whose session has ended."""
    return responses.session_ended(request, response, notice_of(row))


@sensitive_variables()
def _has_dead_cookie(request: HttpRequest, session: SessionBase) -> bool:
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return bool(cookie) and cookie != session.session_key and not state_of(request).signed_out


@sensitive_variables()
def _known_key(request: HttpRequest) -> str | None:
    """Return the session's key as the registry knows it."""
    started = state_of(request).started
    return started.key if started else request.COOKIES.get(settings.SESSION_COOKIE_NAME)


@sensitive_variables()
def _is_login_lost(request: HttpRequest) -> bool:
    started = state_of(request).started
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return started is not None and started.key != cookie


def _lasts_otherwise(request: HttpRequest, session: SessionBase, data: dict[str, Any]) -> bool:
    if state_of(request).started is not None:
        return "_session_expiry" in data  # set by the view, after it signed its user in
    known = getattr(session, "known_expiry", None)
    if known is None or not _is_cookie_renewed(request, session):
        return False
    return bool(known < session.get_expiry_date())


def _is_cookie_renewed(request: HttpRequest, session: SessionBase) -> bool:
    """Tell whether the browser gets a session anew that is a cookie, and was one before."""
    if engine.keeps_keys() or state_of(request).started is not None:
        return False
    return bool(session.modified or settings.SESSION_SAVE_EVERY_REQUEST)


def _was_flushed(request: HttpRequest) -> bool:
    """Tell whether this request had a session that was flushed while it ran."""
    # A cookie that is its own session and can still be read was there to be flushed.
    return not engine.keeps_keys() or state_of(request).flushed


def _was_refused(request: HttpRequest) -> bool:
    """Tell whether Django found nobody behind the session that this request came with."""
    user = user_found_by_django(request)
    return user is not None and not user.is_authenticated


def _was_rolled_back(request: HttpRequest, data: dict[str, Any]) -> bool:
    started = state_of(request).started
    return started is not None and started.id == data[SESSION_ID_KEY] and not started.committed


def _user_of(request: HttpRequest, data: Any) -> Any:
    """Return the user whom this request has found its session to belong to."""
    user = loaded_user(request)
    signed_in = user is not None and user.is_authenticated
    return user if signed_in and str(user.pk) == data[SESSION_KEY] else None


def _is_turned_away(request: HttpRequest) -> bool:
    user = loaded_user(request)
    return user is not None and not user.is_authenticated
