"""Confirmations that ship with the package, for ``CONFIRM`` and for changes of a factor."""

import time
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from live_single_session import registry
from live_single_session.conf import conf
from live_single_session.http import tries
from live_single_session.http.bodies import text_of
from live_single_session.http.confirmation import END, TAKE_OVER
from live_single_session.http.responses import wants_page
from live_single_session.models import SESSION_ID_KEY, EndReason, UserSession, as_uuid
from live_single_session.registry import db
from live_single_session.session_info import SessionInfo
from live_single_session.session_user import session_id_here
from live_single_session.site_urls import not_you_url

# Where a session's data holds what was confirmed in it, by action: user, session, time.
KEY = "_live_single_session_confirmed"


@sensitive_variables()
def password(request: HttpRequest, user: Any, action: str) -> HttpResponse | None:
    """A ``CONFIRM``: the password, given in the last ``CONFIRM_SECONDS`` in this session.

    It holds for one user, session and action. ``"take_over"`` counts the sign-in that was
    just made. The answer is the same for users who have no password.

    Args:
        request: the request that wants to end other sessions, perhaps with a ``password``
            in its form or JSON.
        user: whose sessions they are.
        action: ``"end"``, ``"end_others"`` or ``"take_over"``.

    Returns:
        None if it is confirmed. Else a page with a form; or JSON: 403 with ``code``
        ``confirm_password`` or ``wrong_password``, 429 with ``too_many_tries``.
    """
    if action == TAKE_OVER or _is_confirmed(request, user, action):
        return None
    given = text_of(request, "password") if request.method == "POST" else None
    if given is None:
        text = _("Enter your password, so that we know that it is you.")
        return _ask(request, action, "confirm_password", text)
    # Not of the user alone: a thief who guesses would lock the owner out.
    name = f"{user.pk}.{_session_id(request)}"
    seconds = tries.count(name)
    if seconds:
        text = _("Too many tries. Wait a while, or sign out here and sign in again.")
        response = _ask(request, action, "too_many_tries", text, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    if not user.check_password(given):
        text = _("That is not your password.")
        return _ask(request, action, "wrong_password", text)
    tries.forget(name)
    _confirm(request, user, action)
    return None


def factor_changed(user: Any, **kwargs: Any) -> int:
    """End the other sessions of a user who has just changed or removed a factor.

    A changed password does so by itself. Connect it to the signals of a package that
    manages second factors, or call it in the view that does. It keeps the session of the
    current request.

    Returns:
        how many sessions ended, with the reason ``revoked``.
    """
    return registry.end_all(user, EndReason.REVOKED, keep=session_id_here(user))


def _is_confirmed(request: HttpRequest, user: Any, action: str) -> bool:
    whose, where, at = request.session.get(KEY, {}).get(action, ("", "", 0))
    is_same = (whose, where) == (str(user.pk), _session_id(request))
    return is_same and 0 <= time.time() - at < conf.CONFIRM_SECONDS


def _confirm(request: HttpRequest, user: Any, action: str) -> None:
    made = (str(user.pk), _session_id(request), time.time())
    request.session.cycle_key()  # a copy of the cookie opens nothing from here on
    request.session[KEY] = {**request.session.get(KEY, {}), action: made}


def _session_id(request: HttpRequest) -> str:
    return str(request.session.get(SESSION_ID_KEY, ""))


def _ask(
    request: HttpRequest, action: str, code: str, text: str, *, status: int = 403
) -> HttpResponse:
    if not wants_page(request):
        return JsonResponse({"code": code, "detail": text}, status=status)
    context = {
        "entry": _entry(request) if action == END else None,
        "account": request.user.get_username(),
        "text": text,
        "is_error": code != "confirm_password",
        "is_locked": status == 429,
        "not_you_url": not_you_url(),
    }
    page = "live_single_session/confirm_password.html"
    return render(request, page, context, status=200 if status == 403 else status)


def _entry(request: HttpRequest) -> SessionInfo | None:
    """Describe the session that the address of a request names, if it is the user's."""
    match = request.resolver_match
    user: Any = request.user
    rows = UserSession.objects.using(db.database()).of(user)
    session_id = as_uuid(match.kwargs.get("session_id")) if match is not None else None
    row = rows.filter(Q(pk=session_id)).first()
    return None if row is None else SessionInfo(row)
