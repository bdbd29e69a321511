"""The page on which a user chooses to sign out elsewhere and go on, or to cancel."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from live_single_session.conf import conf
from live_single_session.django_internals import leave_session_alone
from live_single_session.exceptions import LoginRefused
from live_single_session.http import confirmation, pending_login
from live_single_session.http.bodies import json_object
from live_single_session.http.pending_login import Pending
from live_single_session.http.refusals import account_and_site, asked_body, described, question
from live_single_session.http.responses import send_to, wants_page
from live_single_session.models import SESSION_ID_KEY, UserSession, as_uuid
from live_single_session.site_urls import login_url, safe_next

CONTINUE = "continue"
CANCEL = "cancel"


@login_not_required
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Show the choice to the user of a pending login, and do what is chosen."""
    waiting = pending_login.of_session(request.session)
    if waiting is None:
        return _nothing_to_choose(request)
    user = waiting.user()
    if user is None:
        pending_login.drop(request.session)
        text = _("That took too long, or something has changed. Please sign in again.")
        return _sign_in_again(request, waiting, text)
    if request.method != "POST":
        return _ask(request, waiting, user)
    return _act(request, waiting, user)


def _ask(request: HttpRequest, waiting: Pending, user: Any) -> HttpResponse:
    if not wants_page(request):
        return JsonResponse(asked_body(waiting, user))
    live = waiting.rivals(user)
    excess = waiting.giving_way(live)
    context = {
        "question": question(live, excess),
        "places": described(live, excess),
        "some_give_way": bool(excess),
        "pick": _kind_of_pick(live, excess),
        "which": _which(excess),
        "next": waiting.next,
        **account_and_site(request, user),
    }
    return render(request, "live_single_session/choose.html", context)


def _kind_of_pick(live: Sequence[UserSession], excess: Sequence[UserSession]) -> str:
    """Return the type of the fields by which sessions are picked; "": all have to go."""
    if not excess or len(excess) == len(live):
        return ""
    return "radio" if len(excess) == 1 else "checkbox"


def _which(excess: Sequence[UserSession]) -> str:
    if len(excess) == 1:
        return _("Which device do you want to sign out?")
    text = _("Which devices do you want to sign out? Choose at least %(number)s.")
    return text % {"number": len(excess)}


def _act(request: HttpRequest, waiting: Pending, user: Any) -> HttpResponse:
    choice, end = _answer(request)
    if choice == CONTINUE:
        return _carry_on(request, waiting, user, end)
    if choice == CANCEL:
        pending_login.drop(request.session)
        text = _("You were not signed in here. Nothing has changed on your other devices.")
        return _sign_in_again(request, waiting, text)
    return HttpResponse(status=400)


def _answer(request: HttpRequest) -> tuple[Any, Any]:
    """Return what the user chooses, and the ids of the sessions to end, if they are picked."""
    if request.content_type != "application/json":
        return request.POST.get("choice"), request.POST.getlist("end") or None
    body = json_object(request)
    return body.get("choice"), body.get("end")


def _carry_on(request: HttpRequest, waiting: Pending, user: Any, end: Any) -> HttpResponse:
    chosen = None
    if end is not None:
        live = waiting.rivals(user)
        excess = waiting.giving_way(live)
        picked = {as_uuid(value) for value in end} if isinstance(end, list) else set()
        chosen = frozenset(row.pk for row in live if row.pk in picked)
        if len(chosen) < len(excess):
            return _ask_again(request, excess)
    if conf.CONFIRM is not None and waiting.giving_way(waiting.rivals(user)):
        unconfirmed = confirmation.ask(request, user, confirmation.TAKE_OVER)
        if unconfirmed is not None:
            return unconfirmed
    pending_login.drop(request.session)
    try:
        waiting.sign_in(request, user, chosen)
    except LoginRefused:
        return _chosen_before(request, waiting)
    session_id = request.session[SESSION_ID_KEY]
    body = {"code": "signed_in", "session": session_id, "next": waiting.next}
    return _go_on(request, waiting.next, JsonResponse(body))


def _ask_again(request: HttpRequest, excess: Sequence[UserSession]) -> HttpResponse:
    """Answer a choice that picks too few of the sessions, or none that there are."""
    messages.warning(request, _which(excess), fail_silently=True)
    return _go_on(request, request.path, JsonResponse({"detail": _which(excess)}, status=400))


def _chosen_before(request: HttpRequest, waiting: Pending) -> HttpResponse:
    """Answer a choice that came after another login: a second click, or another device."""
    text = _("You signed in somewhere else meanwhile. Please sign in again.")
    response = _sign_in_again(request, waiting, text)
    _keep_cookie(request)
    return response


def _nothing_to_choose(request: HttpRequest) -> HttpResponse:
    """Answer a browser that has no pending login: a second click, or an old page."""
    _keep_cookie(request)
    text = _("There is no sign-in to complete. Please sign in again.")
    url = safe_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL)
    return _go_on(request, url, _expired(login_url(), text))


def _keep_cookie(request: HttpRequest) -> None:
    """Leave the browser's cookie alone: the first click may have renewed it meanwhile.

    A message that would be kept in the session is lost, then, and needn't be read.
    """
    if SESSION_KEY not in request.session:
        leave_session_alone(request)


def _sign_in_again(request: HttpRequest, waiting: Pending, text: str) -> HttpResponse:
    if wants_page(request):
        messages.info(request, text, fail_silently=True)
    return _go_on(request, waiting.back(), _expired(waiting.login_page, text))


def _go_on(request: HttpRequest, url: str, answer: JsonResponse) -> HttpResponse:
    """Send whoever looks at a page to another one; give others the answer."""
    return send_to(request, url, answer) if wants_page(request) else answer


def _expired(login_page: str, text: str) -> JsonResponse:
    body = {"code": "not_signed_in", "detail": text, "login_url": login_page}
    return JsonResponse(body, status=401)
