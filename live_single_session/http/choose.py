"""The page on which a user chooses to sign out elsewhere and go on, or to cancel."""

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from live_single_session.django_internals import keep_session_cookie
from live_single_session.exceptions import LoginRefused
from live_single_session.http import pending_login
from live_single_session.http.pending_login import Pending
from live_single_session.http.refusals import asked_body, described, question
from live_single_session.http.responses import is_page
from live_single_session.models import SESSION_ID_KEY
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
    if not is_page(request):
        return JsonResponse(asked_body(waiting, user))
    live = waiting.rivals(user)
    excess = waiting.giving_way(live)
    context = {
        "question": question(live, excess),
        "places": described(live, excess),
        "some_give_way": bool(excess),
        "some_stay": len(excess) < len(live),
        "next": waiting.next,
    }
    return render(request, "live_single_session/choose.html", context)


def _act(request: HttpRequest, waiting: Pending, user: Any) -> HttpResponse:
    choice = _choice(request)
    if choice == CONTINUE:
        return _carry_on(request, waiting, user)
    if choice == CANCEL:
        pending_login.drop(request.session)
        text = _("You were not signed in here. Nothing has changed on your other devices.")
        return _sign_in_again(request, waiting, text)
    return HttpResponse(status=400)


def _choice(request: HttpRequest) -> Any:
    if request.content_type != "application/json":
        return request.POST.get("choice")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return body.get("choice") if isinstance(body, dict) else None


def _carry_on(request: HttpRequest, waiting: Pending, user: Any) -> HttpResponse:
    pending_login.drop(request.session)
    try:
        waiting.sign_in(request, user)
    except LoginRefused:
        return _chosen_before(request, waiting)
    if is_page(request):
        return HttpResponseRedirect(waiting.next)
    session_id = request.session[SESSION_ID_KEY]
    return JsonResponse({"code": "signed_in", "session": session_id, "next": waiting.next})


def _chosen_before(request: HttpRequest, waiting: Pending) -> HttpResponse:
    """Answer a choice that another login has outdated: a second click, another device."""
    _keep_cookie(request)
    text = _("You signed in somewhere else meanwhile. Please sign in again.")
    return _sign_in_again(request, waiting, text)


def _nothing_to_choose(request: HttpRequest) -> HttpResponse:
    """Answer a browser that has no pending login: a second click, or an old page."""
    _keep_cookie(request)
    if not is_page(request):
        return _expired(
            login_url(), _("There is no sign-in to complete. Please sign in again.")
        )
    return HttpResponseRedirect(safe_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))


def _keep_cookie(request: HttpRequest) -> None:
    """Leave the browser's cookie alone: the first of two clicks may have renewed it."""
    if request.session.is_empty():
        keep_session_cookie(request)


def _sign_in_again(request: HttpRequest, waiting: Pending, text: str) -> HttpResponse:
    if not is_page(request):
        return _expired(waiting.login_page, text)
    messages.info(request, text, fail_silently=True)
    return HttpResponseRedirect(waiting.back())


def _expired(login_page: str, text: str) -> JsonResponse:
    body = {"code": "not_signed_in", "detail": text, "login_url": login_page}
    return JsonResponse(body, status=401)
