"""Addresses of the site: login page, help, status, choice; and a ``next`` that is safe."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from live_single_session.conf import conf


def login_url() -> str:
    """Return the address of the site's login page."""
    return _resolved(settings.LOGIN_URL) or str(settings.LOGIN_URL)


def not_you_url() -> str | None:
    """Return where users go who did not sign in elsewhere themselves; None: nowhere."""
    url = conf.NOT_YOU_URL
    return None if url is None else _resolved(url)


def status_url() -> str | None:
    """Return the address of ``status/``; None where the site doesn't include our URLs."""
    return reverse_or_none("live_single_session:status")


def choose_url() -> str | None:
    """Return the address of the choice; None where the site doesn't include our URLs."""
    return reverse_or_none("live_single_session:choose")


def safe_next(request: HttpRequest, field: str = REDIRECT_FIELD_NAME) -> str:
    """Return where a request asks to go, if that is on this site; else ""."""
    wanted = request.POST.get(field, request.GET.get(field, ""))
    is_safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_safe else ""


def reverse_or_none(name: str, args: Collection[Any] = ()) -> str | None:
    """Return the address of a URL pattern; None if the site has no such pattern."""
    try:
        return reverse(name, args=tuple(args))
    except NoReverseMatch:
        return None


def _resolved(url: Any) -> str | None:
    try:
        return resolve_url(url)
    except NoReverseMatch:
        return None
