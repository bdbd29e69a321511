"""Addresses of the site: login page, help, status, choice, websocket; a safe ``next``."""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, is_valid_path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from live_single_session.conf import DEFAULTS, conf

# What the default of NOT_YOU_URL may be called: by Django, and by allauth.
PASSWORD_RESET = (DEFAULTS["NOT_YOU_URL"], "account_reset_password")


def login_url() -> str:
    """Return the URL of the site's login page."""
    return _resolved(settings.LOGIN_URL) or str(settings.LOGIN_URL)


def home_url() -> str:
    """Return where users go on from a page of ours: ``LOGIN_REDIRECT_URL``, or the root."""
    root, home = get_script_prefix(), _resolved(settings.LOGIN_REDIRECT_URL)
    if home is None or not is_valid_path("/" + urlsplit(home).path.removeprefix(root)):
        return root  # Django's default is a page that few sites have
    return home


def not_you_url() -> str | None:
    """Return the page for users who did not make the new sign-in; None: no such page."""
    url = conf.NOT_YOU_URL
    names = PASSWORD_RESET if url == DEFAULTS["NOT_YOU_URL"] else (url,)
    found = (_resolved(name) for name in names if name is not None)
    return next((page for page in found if page is not None), None)


def status_url() -> str | None:
    """Return the URL of ``status/``; None where the site doesn't include the package's URLs."""
    return reverse_or_none("live_single_session:status")


def active_url() -> str | None:
    """Return the URL of ``active/``; None where the site doesn't include the package's URLs."""
    return reverse_or_none("live_single_session:active")


def choose_url() -> str | None:
    """Return the URL of ``choose/``; None where the site doesn't include the package's URLs."""
    return reverse_or_none("live_single_session:choose")


def socket_path() -> str | None:
    """Return the path of the package's websocket below the script's prefix; None: none."""
    path = conf.WEBSOCKET_PATH
    return None if path is None else get_script_prefix().rstrip("/") + path


def safe_next(request: HttpRequest, field: str = REDIRECT_FIELD_NAME) -> str:
    """Return where a request asks to go, if that is on this site; else ""."""
    wanted = request.POST.get(field, request.GET.get(field, ""))
    is_safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_safe else ""


def with_query(url: str, extra: dict[str, str]) -> str:
    """Return a URL with more in its query string."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(extra, safe="/")) if part)
    return urlunsplit(parts._replace(query=query))


def reverse_or_none(name: str, args: Collection[Any] = ()) -> str | None:
    """Return the URL of a URL pattern; None if the site has no such pattern."""
    try:
        return reverse(name, args=tuple(args))
    except NoReverseMatch:
        return None


def _resolved(url: Any) -> str | None:
    try:
        return resolve_url(url)
    except NoReverseMatch:
        return None
