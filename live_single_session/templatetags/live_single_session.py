"""``{% live_single_session %}``: includes the script in pages of signed-in users."""

import asyncio

from django import template
from django.contrib.auth import SESSION_KEY
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from live_single_session.conf import conf
from live_single_session.django_internals import loaded_data, loaded_user
from live_single_session.models import SESSION_ID_KEY
from live_single_session.site_urls import login_url, not_you_url, status_url

SCRIPT = "live_single_session/live-single-session.js"
ON_ENDED = ("dialog", "redirect", "reload", "none")

register = template.Library()


@register.simple_tag(takes_context=True)
def live_single_session(context: Context, on_ended: str = "dialog") -> SafeString:
    """Render the script element for a signed-in user, and nothing for others.

    Args:
        context: the template's; without a ``request`` in it nothing is rendered.
        on_ended: what a page does when its session has ended: ``"dialog"``,
            ``"redirect"`` (to the login page), ``"reload"`` or ``"none"``.
    """
    request = context.get("request")
    if request is None:
        return SafeString("")
    nonce = context.get("csp_nonce")
    return script_tag(request, on_ended, nonce)


def script_tag(
    request: HttpRequest, on_ended: str = "dialog", nonce: object = None
) -> SafeString:
    """Return the script element; for template engines other than Django's.

    Args:
        request: the request of the page.
        on_ended: as for the tag.
        nonce: for the ``Content-Security-Policy``; django-csp's is found automatically.
    """
    if on_ended not in ON_ENDED:
        raise template.TemplateSyntaxError(
            f"on_ended is {on_ended!r}; it must be one of {', '.join(ON_ENDED)}."
        )
    signed_in = _is_signed_in(request)
    if signed_in is False:
        return SafeString("")
    if nonce is None:  # Django's lazy nonce is false until it is used
        nonce = getattr(request, "csp_nonce", None)
    attributes = {
        "src": static(SCRIPT),
        "defer": True,
        "nonce": None if nonce is None else str(nonce),
        # Empty where it isn't loaded and can't be: the script asks the server.
        "data-session": _session_id(request),
        "data-socket": conf.WEBSOCKET_PATH,
        "data-status": status_url(),
        "data-login-url": login_url(),
        "data-not-you-url": not_you_url(),
        "data-on-ended": on_ended,
        "data-recheck": conf.RECHECK_SECONDS,
        "data-text-title": _("You were signed out"),
        "data-text-message": _("Your session has ended. Sign in again to carry on."),
        "data-text-sign-in": _("Sign in again"),
        "data-text-not-you": _("Wasn’t you?"),  # noqa: RUF001 - an apostrophe
    }
    return format_html("<script{}></script>", flatatt(attributes))


def _is_signed_in(request: HttpRequest) -> bool | None:
    """Tell whether the visitor is signed in; None where that would block the event loop."""
    session = getattr(request, "session", None)
    if session is None:
        return False
    user = loaded_user(request)
    if user is not None:
        return bool(user.is_authenticated)
    if not _in_event_loop():
        user = getattr(request, "user", None)
        return user is not None and bool(user.is_authenticated)
    # An async view has not loaded the user: doing so here would raise, or block.
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
