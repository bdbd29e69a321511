"""Where a request that signs in comes from, and where it wants to go afterwards."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from live_single_session.farewell import login_url


@dataclass(frozen=True)
class Goals:
    """The pages around a login.

    Attributes:
        login_page: where this browser signs in: the page that it does so on, where that is
            known to be one (the admin has its own), else that of ``LOGIN_URL``.
        is_login_page: whether the request is to that page.
        next: where the request asks to go afterwards, if that is on this site; or "".
        default_next: where the view goes if it isn't asked.
        next_field: what the view calls ``next``.
    """

    login_page: str
    is_login_page: bool
    next: str
    default_next: str
    next_field: str


def goals_of(request: HttpRequest) -> Goals:
    """Return where a request that signs in comes from and wants to go."""
    view = _login_view(request)
    next_field = REDIRECT_FIELD_NAME if view is None else view.redirect_field_name
    is_login_page = view is not None or _is_known_login_page(request)
    return Goals(
        login_page=request.path if is_login_page else login_url(),
        is_login_page=is_login_page,
        next=safe_next(request, next_field),
        default_next=_default_next(request, view),
        next_field=next_field,
    )


def safe_next(request: HttpRequest, field: str = REDIRECT_FIELD_NAME) -> str:
    """Return where a request asks to go, if that is on this site; else ""."""
    wanted = request.POST.get(field, request.GET.get(field, ""))
    is_safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_safe else ""


def _is_known_login_page(request: HttpRequest) -> bool:
    match = request.resolver_match
    if request.path == urlsplit(login_url()).path:
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
