"""Responses to logins that the session limit refuses, or that wait for a choice.

Pages are redirected: to the choice, or back to the login page, with a message. A login
page that signs its visitors in automatically, as with single sign-on, would redirect back
here at once: then the response is a page of this package. APIs get JSON.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext as _

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.devices import device_of
from live_single_session.exceptions import LoginRefused
from live_single_session.http import login_page, pending_login
from live_single_session.http.responses import is_htmx, is_page, send_to
from live_single_session.models import UserSession
from live_single_session.registry import engine, limits, logins
from live_single_session.session_info import SessionInfo, ids_of
from live_single_session.site_urls import choose_url, login_url, not_you_url


def answer(request: HttpRequest, refused: LoginRefused) -> HttpResponse:
    """Return the response to a request whose login was refused."""
    _leave_again(request, refused.user)
    waiting = pending_login.of_session(request.session)
    if not (is_page(request) or is_htmx(request)):
        response: HttpResponse = _json(request, refused, waiting)
    elif waiting is not None:
        response = send_to(request, str(choose_url()), _json(request, refused, waiting))
    elif login_page.would_come_back(request):
        response = _own_page(request, refused)
    else:
        text = f"{detail(refused.live)} {lost_device()}"
        messages.warning(request, text, fail_silently=True)
        back = login_page.back(request)
        response = send_to(request, back, _json(request, refused, None))
    add_never_cache_headers(response)
    return response


def answer_everywhere(request: HttpRequest, refused: LoginRefused) -> HttpResponse:
    """Return the response where a middleware signs in on every page: no redirect helps."""
    _leave_again(request, refused.user)
    pending_login.drop(request.session)
    answer = _own_page(request, refused) if is_page(request) else _json(request, refused, None)
    add_never_cache_headers(answer)
    return answer


def _leave_again(request: HttpRequest, user: Any) -> None:
    """End the session that Django has flushed for the refused sign-in.

    With ``ATOMIC_REQUESTS`` the flush was rolled back with the view.
    """
    session: Any = request.session
    logins.end_left(session.left, user)
    if session.presented_key is not None and engine.keeps_keys():
        engine.forget(session.presented_key)


def detail(live: Sequence[UserSession]) -> str:
    """Return, in words, why a login is refused and what the user can do."""
    device = device_of(live[0].user_agent) if len(live) == 1 else None
    if device is not None:
        return _(
            "You are already signed in on another device (%(device)s). "
            "Sign out there first, then sign in here."
        ) % {"device": device}
    if len(live) == 1:
        return _(
            "You are already signed in on another device. "
            "Sign out there first, then sign in here."
        )
    return _(
        "You are already signed in on as many devices as are allowed. "
        "Sign out on one of them first, then sign in here."
    )


def lost_device() -> str:
    """Return in words what to do about a device that its user can't get to."""
    if not_you_url() is None:
        return _(
            "You can’t get to that device? Ask those who run this site to sign you out there."
        )
    return _("You can’t get to that device? Change your password: that signs you out there.")


def account_and_site(request: HttpRequest, user: Any) -> dict[str, str]:
    """Return who signs in where, for a page that asks or refuses."""
    return {
        "account": format_html("<bdi>{}</bdi>", user.get_username()),
        "site": format_html("<bdi>{}</bdi>", request.get_host()),
    }


def question(live: Sequence[UserSession], excess: Sequence[UserSession]) -> str:
    """Return, in words, what a user has to choose."""
    if not excess:
        return _("You may sign in here now.")
    if len(live) == 1:
        return _(
            "You are still signed in on another device. "
            "If you carry on here, you will be signed out there."
        )
    if len(excess) == 1:
        return _(
            "You are signed in on as many devices as are allowed. "
            "If you carry on here, you will be signed out on one of them."
        )
    return _(
        "You are signed in on as many devices as are allowed. "
        "If you carry on here, you will be signed out on %(number)s of them."
    ) % {"number": len(excess)}


def _json(
    request: HttpRequest, refused: LoginRefused, waiting: pending_login.Pending | None
) -> JsonResponse:
    if waiting is None:
        return JsonResponse(body(refused), status=409)
    get_token(request)  # sets the cookie that the choice has to be sent with
    return JsonResponse(asked_body(waiting, refused.user), status=409)


def body(refused: LoginRefused) -> dict[str, Any]:
    """Return the JSON of a 409: which sessions are kept, and how to take over, if one may.

    ``take_over`` is for clients that keep nothing while their user chooses: they sign in once
    more, and send it along. It is valid for one sign-in, and only until the user signs in
    elsewhere. So it ends only sessions that were in the list.
    """
    answer: dict[str, Any] = {
        "code": "session_limit",
        "detail": detail(refused.live),
        "login_url": login_url(),
        "sessions": [info.as_choice() for info in described(refused.live)],
    }
    if conf.ON_LIMIT == policy.ASK:
        excess = limits.over_limit(refused.live, refused.terms)
        answer["detail"] = question(refused.live, excess)
        answer["take_over"] = refused.serial
    return answer


def asked_body(waiting: pending_login.Pending, user: Any) -> dict[str, Any]:
    """Return the JSON that asks a user to choose: the sessions, and how to answer."""
    live = waiting.rivals(user)
    excess = waiting.giving_way(live)
    return {
        "code": "session_limit",
        "detail": question(live, excess),
        "login_url": waiting.login_page,
        "sessions": [info.as_choice() for info in described(live, excess)],
        "choose_url": choose_url(),
        "choices": ["continue", "cancel"],
        "end": [str(row.pk) for row in excess],
        "expires_in": waiting.seconds_left,
    }


def _own_page(request: HttpRequest, refused: LoginRefused) -> HttpResponse:
    context = {
        "detail": detail(refused.live),
        "places": described(refused.live),
        "login_page": login_page.back(request),
        "lost_device": lost_device(),
        "not_you_url": not_you_url(),
        **account_and_site(request, refused.user),
    }
    return render(request, "live_single_session/refused.html", context, status=409)


def described(
    live: Sequence[UserSession], excess: Sequence[UserSession] = ()
) -> list[SessionInfo]:
    """Describe where a user is signed in, the newest first.

    Args:
        live: the sessions, those that would be evicted first.
        excess: those that the login will end.
    """
    giving_way = ids_of(excess)
    return [
        SessionInfo(
            row,
            gives_way=row.pk in giving_way,
            tells_ip="ip" in conf.DISCLOSE,
            tells_use=limits.by_use(),
        )
        for row in reversed(live)
    ]
