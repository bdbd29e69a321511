"""``{% live_single_session %}``: puts the script, and what it has to know, on a page."""

import asyncio
from typing import Any

from django import template
from django.contrib.auth import SESSION_KEY
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils.crypto import salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.django_internals import loaded_data, loaded_user
from live_single_session.models import SESSION_ID_KEY, EndReason
from live_single_session.registry import time_limits
from live_single_session.site_urls import (
    active_url,
    login_url,
    not_you_url,
    reverse_or_none,
    socket_path,
    status_url,
)

SCRIPT = "live_single_session/live-single-session.js"
SHARER = "live_single_session/live-single-session-shared.js"
KEEPER = "live_single_session/live-single-session-keep.js"
TIMER = "live_single_session/live-single-session-time.js"
ON_ENDED = ("dialog", "redirect", "reload", "none")

register = template.Library()


@register.simple_tag(takes_context=True)
def live_single_session(context: Context, **options: Any) -> SafeString:
    """Render the script.

    Args:
        context: the template's; without a ``request`` in it nothing is rendered.
        options: those of ``script_tag()``.
    """
    request = context.get("request")
    if request is None:
        return SafeString("")
    return script_tag(request, **{"nonce": context.get("csp_nonce"), **options})


def script_tag(
    request: HttpRequest,
    on_ended: str = "dialog",
    nonce: object = None,
    *,
    keep_drafts: bool = False,
    keep_fragment: bool = False,
) -> SafeString:
    """Return the script element; for template engines other than Django's.

    Args:
        request: the request of the page. Without a session and a user in it nothing is
            rendered.
        on_ended: what a page does when its session has ended: ``"dialog"``,
            ``"redirect"`` (to the login page), ``"reload"`` or ``"none"``.
        nonce: for the ``Content-Security-Policy``; that of django-csp is found without.
        keep_drafts: whether the tab keeps what was typed until the same user signs in.
        keep_fragment: whether the tab keeps the address's ``#fragment`` until then.

    Raises:
        TemplateSyntaxError: ``on_ended`` is none of these.
    """
    if on_ended not in ON_ENDED:
        raise template.TemplateSyntaxError(
            f"on_ended is {on_ended!r}; it must be one of {', '.join(ON_ENDED)}."
        )
    if getattr(request, "session", None) is None or not hasattr(request, "user"):
        return SafeString("")
    if nonce is None:  # Django's lazy nonce is false until it is used
        nonce = getattr(request, "csp_nonce", None)
    # Somebody may sign in without a new page. Until then the script asks for nothing.
    is_anonymous = _is_signed_in(request) is False
    attributes = {
        "src": static(SCRIPT),
        "defer": True,
        "nonce": None if nonce is None else str(nonce),
        "data-anonymous": is_anonymous,
        # Empty where it cannot be known here: the script asks for it.
        "data-session": None if is_anonymous else _session_id(request),
        "data-socket": socket_path(),
        "data-status": status_url(),
        "data-login-url": login_url(),
        "data-not-you-url": not_you_url(),
        "data-on-ended": on_ended,
        "data-recheck": conf.RECHECK_SECONDS,
    }
    script = _scripts(attributes)
    if is_anonymous or not (keep_drafts or keep_fragment):
        return script
    owner = _owner_of_drafts(request) if keep_drafts else None
    return script + _keeper(owner, keep_fragment, attributes["nonce"])


def _scripts(attributes: dict[str, Any]) -> SafeString:
    """Return the script, with those that the settings put beside it."""
    script = format_html("<script{}></script>", flatatt(attributes | _texts()))
    if time_limits.in_force():
        script += _timer(attributes["nonce"])
    return _sharer(attributes["nonce"]) + script


def _timer(nonce: object) -> SafeString:
    """Return the script that tells of use, and warns before the session ends in time."""
    attributes = {
        "src": static(TIMER),
        "defer": True,
        "nonce": nonce,
        "data-idle": EndReason.IDLE in time_limits.in_force(),
        "data-active-url": active_url(),
        "data-sessions-url": reverse_or_none("live_single_session:sessions") or "",
        "data-text-title": _("You will be signed out soon"),
        "data-text-stay": _("Stay signed in"),
        "data-text-leave": _("Sign out now"),
        "data-text-close": _("Close"),
    }
    return format_html("<script{}></script>", flatatt(attributes))


def _sharer(nonce: object) -> SafeString:
    """Return what comes in front, to hear the first frame: the script that says a name."""
    if conf.ON_SHARED == policy.IGNORE or socket_path() is None:
        return SafeString("")
    attributes = {"src": static(SHARER), "defer": True, "nonce": nonce}
    return format_html("<script{}></script>", flatatt(attributes))


def _keeper(owner: str | None, keep_fragment: bool, nonce: object) -> SafeString:
    attributes = {
        "src": static(KEEPER),
        "defer": True,
        "nonce": nonce,
        "data-keep-drafts": owner or "",
        "data-keep-fragment": keep_fragment,
    }
    return format_html("<script{}></script>", flatatt(attributes))


def _texts() -> dict[str, str | None]:
    return {
        "data-text-title": _("You were signed out"),
        "data-text-message": _("Your session has ended. Sign in again to carry on."),
        "data-text-sign-in": _("Sign in again"),
        "data-text-again": _("Signing in here will sign you out there.")
        if conf.LIMIT == 1
        else None,
        "data-text-not-you": _("Wasn’t you? Secure your account"),
        "data-text-now": _("just now"),
        "data-text-unsaved": _("Text you had not saved"),
        "data-text-kept": _("What you typed is kept in this tab until you sign in again."),
    }


def _owner_of_drafts(request: HttpRequest) -> str | None:
    """Return a name that tells users apart, and no more; None where nobody is known."""
    user = loaded_user(request)
    if user is None or not user.is_authenticated:
        return None
    digest = salted_hmac("live_single_session.drafts", str(user.pk), algorithm="sha256")
    return digest.hexdigest()[:16]


def _is_signed_in(request: HttpRequest) -> bool | None:
    """Tell whether the visitor is signed in; None where finding out would block the loop."""
    user = loaded_user(request)
    if user is not None:
        return bool(user.is_authenticated)
    if not _in_event_loop():
        return bool(request.user.is_authenticated)
    # An async view whose template is the first to ask. Django would raise, or block.
    session = request.session
    return SESSION_KEY in session if loaded_data(session) is not None else None


def _session_id(request: HttpRequest) -> str:
    session = request.session
    if _in_event_loop() and loaded_data(session) is None:
        return ""
    return str(session.get(SESSION_ID_KEY, ""))


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
