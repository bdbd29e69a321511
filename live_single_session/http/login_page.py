"""The login page that a sign-in comes from, and the page it goes to afterwards."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.http import HttpRequest
from django.shortcuts import resolve_url

from live_single_session.site_urls import login_url, safe_next, with_query

# The key of a session under which the time of this browser's last refusal is stored. A login
# that comes again within ``AT_ONCE_SECONDS`` comes from a single sign-on, not from a person.
REFUSED_AT = "_live_single_session_refused_at"
AT_ONCE_SECONDS = 30


@dataclass(frozen=True)
class LoginPages:
    """The pages around a login.

    Attributes:
        login_page: where this browser signs in: the page of the request, if that is a login
            page (the admin has its own), else that of ``LOGIN_URL``.
        is_login_page: whether the request is for that page.
        next: where the request asks to go afterwards, if that is on this site; or "".
        default_next: where the view goes otherwise.
        next_field: the view's name for ``next``.
    """

    login_page: str
    is_login_page: bool
    next: str
    default_next: str
    next_field: str


def login_pages_of(request: HttpRequest) -> LoginPages:
    """Return the pages around a request that signs in."""
    view = _login_view(request)
    next_field = REDIRECT_FIELD_NAME if view is None else view.redirect_field_name
    return LoginPages(
        login_page=request.path if is_login_page(request) else login_url(),
        is_login_page=is_login_page(request),
        next=safe_next(request, next_field),
        default_next=_default_next(request, view),
        next_field=next_field,
    )


def is_login_page(request: HttpRequest) -> bool:
    """Tell whether a request is to a login page: LOGIN_URL, the admin's or a LoginView."""
    match = request.resolver_match
    if request.path == urlsplit(login_url()).path or _login_view(request) is not None:
        return True
    return match is not None and "admin" in match.app_names and match.url_name == "login"


def _login_view(request: HttpRequest) -> type[LoginView] | None:
    """Return the class of the view, if it is one of Django's login views."""
    match = request.resolver_match
    view = getattr(match.func, "view_class", None) if match is not None else None
    return view if isinstance(view, type) and issubclass(view, LoginView) else None


def _default_next(request: HttpRequest, view: type[LoginView] | None) -> str:
    match = request.resolver_match
    chosen = getattr(match.func, "view_initkwargs", {}) if view and match else {}
    page = chosen.get("next_page") or getattr(view, "next_page", None)
    return resolve_url(page or settings.LOGIN_REDIRECT_URL)


def would_come_back(request: HttpRequest) -> bool:
    """Tell whether a redirect to the login page could lead back here endlessly."""
    if _is_form(request):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if request.method == "POST" and site == "cross-site":
        return True  # it comes without the session's cookie, so nothing is known
    now = time.time()
    earlier: float = request.session.get(REFUSED_AT, 0)
    request.session[REFUSED_AT] = now
    return abs(now - earlier) < AT_ONCE_SECONDS


def _is_form(request: HttpRequest) -> bool:
    """Tell whether a person has sent this request by a form of this site."""
    if request.method != "POST":
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    return is_login_page(request)


def back(request: HttpRequest) -> str:
    """Return the URL of the login page, with its own parameters and ``refused=limit``."""
    pages = login_pages_of(request)
    query: dict[str, str] = {}
    if pages.is_login_page:
        told = (pages.next_field, "refused", "ended")
        query = {key: str(value) for key, value in request.GET.items() if key not in told}
    if pages.next:
        query[pages.next_field] = pages.next
    return with_query(pages.login_page, {**query, "refused": "limit"})
