"""What is done about a request's session after its view.

It is chosen without I/O, from what the request has loaded, and may be several things. One
synchronous function does them all, under ASGI in a thread.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session import registry
from live_single_session.django_internals import (
    keep_session_cookie,
    loaded_user,
    skip_session_cookie,
)
from live_single_session.http import activity, refusals, responses, sights
from live_single_session.http.request_facts import Facts, facts_of
from live_single_session.models import EndReason, UserSession
from live_single_session.notices import EndNotice, notice_of, notice_of_unknown
from live_single_session.registry import ending, engine, lifecycle, records
from live_single_session.request_state import state_of

FollowUp = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


def choose(facts: Facts) -> list[FollowUp]:
    """Choose what has to be done, in this order; nothing, as a rule."""
    if facts.is_refused and facts.has_failed:
        return [refuse]
    if facts.has_failed:
        return [abandon_sign_in] if facts.has_begun else []
    due: dict[FollowUp, bool] = {
        settle: facts.is_uncommitted,
        explain: facts.is_dead and not (facts.is_told or facts.has_bearer),
        adopt: facts.is_adoptable,
        check_user: facts.is_signed_in and facts.has_row and facts.is_turned_away,
        note_expiry: facts.lasts_otherwise,
        check_cookie: facts.is_cookie_renewed,
        activity.record: facts.is_use_due,
        sights.record: facts.is_sight_due,
    }
    return [follow_up for follow_up, is_due in due.items() if is_due]


def follow_up_for(request: HttpRequest, response: HttpResponseBase) -> FollowUp | None:
    """Return what does all that has to be done; None, as a rule."""
    if state_of(request).only_asks:
        return sights.record if sights.is_due(request) else None
    chosen = choose(facts_of(request, response))
    return partial(_do, chosen) if chosen else None


def _do(
    chosen: list[FollowUp], request: HttpRequest, response: HttpResponseBase
) -> HttpResponseBase:
    for follow_up in chosen:
        response = follow_up(request, response)
    return response


# What may have to be done


def settle(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Keep the browser's cookie if a sign-in or a new key was rolled back."""
    session: Any = request.session
    session.settle()
    return response


def adopt(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give a row to a session from before the installation."""
    lifecycle.adopt(loaded_user(request), request)
    return response


def refuse(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Answer a request whose sign-in was refused inside a middleware."""
    refused = state_of(request).refused
    return response if refused is None else refusals.answer_everywhere(request, refused)


def abandon_sign_in(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """End the session of a sign-in whose view failed later: no browser gets its cookie."""
    session: Any = request.session
    row = records.live_row(session.row_id)
    if row is not None:
        registry.end(row, EndReason.LOGGED_OUT)
    return response


def note_expiry(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record when a session expires, if the registry has another time."""
    session: Any = request.session
    lifetime = timedelta(seconds=session.get_expiry_age())
    if not engine.keeps_keys():  # it has to be recorded again and again, but not each time
        lifetime *= 1.1
    note = lifecycle.set_lifetime if session.has_begun else lifecycle.prolong
    if not note(session.row_id, session[SESSION_KEY], lifetime):
        skip_session_cookie(response)
    return response


def check_cookie(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Don't renew the cookie of an ended session: the browser may have a newer one."""
    session: Any = request.session
    if ending.ended_among([session.row_id]):
        skip_session_cookie(response)
    return response


def check_user(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """End the session of a user whom Django no longer accepts."""
    session: Any = request.session
    row = ending.ended_among([session.row_id]).get(session.row_id)
    if row is None:
        return response
    request.session.flush()
    return tell(request, response, notice_of(row))


@sensitive_variables()
def explain(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Tell the client why its session key opens nothing."""
    session: Any = request.session
    session_id = session.ended_session_id
    row = records.find_session(session.presented_key, session_id)
    if row is None:
        unknown = session_id and notice_of_unknown(session_id)
        return tell(request, response, unknown) if unknown else response
    if row.ended_at is None:
        row = _end_expired(row)
    if row is None:
        # It may be live with another key: this response must not delete that cookie.
        keep_session_cookie(request, session.presented_key)
        return response
    return tell(request, response, notice_of(row))


def _end_expired(row: UserSession) -> UserSession | None:
    """End a live session if it has expired, or its time is over; return what to tell."""
    if ending.end_overdue(row):
        row = records.find_session(None, row.pk) or row
        return row if row.ended_at is not None else None
    if row.expires_at is None or row.expires_at > timezone.now():
        return None
    return records.find_session(None, row.pk) if ending.end_expired([row]) else None


def tell(
    request: HttpRequest, response: HttpResponseBase, notice: EndNotice
) -> HttpResponseBase:
    """Return the answer to a request whose session has ended."""
    return responses.session_ended(request, response, notice)
