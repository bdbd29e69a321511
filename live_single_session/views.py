"""The pages under ``session/``: a user's own sessions.

A client that doesn't ask for HTML gets JSON, under the same URL and rules.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import auth, messages
from django.core.paginator import Paginator
from django.db.models import Case, Count, Q, Value, When
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from live_single_session import registry
from live_single_session.http import confirmation
from live_single_session.http.own import current_id, own, row_of, rows_of
from live_single_session.http.responses import wants_page
from live_single_session.models import (
    EndReason,
    UserSession,
    UserSessionQuerySet,
)
from live_single_session.registry import maintenance
from live_single_session.session_info import SessionInfo
from live_single_session.site_urls import home_url, login_url, not_you_url, with_query

PER_PAGE = 20


# A user's own sessions


@own
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """List the user's sessions: this one, the other live ones, and those that ended."""
    current = current_id(request)
    rows = rows_of(request)
    numbers = rows.aggregate(
        all=Count("pk"), others=Count("pk", filter=Q(ended_at=None) & ~Q(pk=current))
    )
    first = Case(When(pk=current, then=0), When(ended_at=None, then=1), default=Value(2))
    paginator = Paginator(rows.order_by(first, "-serial"), PER_PAGE)
    paginator.count = numbers["all"]  # cached there, and known already
    page = paginator.get_page(request.GET.get("page"))
    entries = [
        SessionInfo(row, current=row.pk == current)
        for row in _without_expired(list(page), rows)
    ]
    if not wants_page(request):
        return JsonResponse(_page_as_json(page, entries))
    context = {
        "page_obj": page,
        "entries": entries,
        "others": numbers["others"],
        "not_you_url": not_you_url(),
        "home_url": home_url(),
        "site": request.get_host(),
    }
    return render(request, "live_single_session/sessions.html", context)


@own
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End one of the user's sessions, once the user has confirmed it."""
    current = current_id(request)
    entry = SessionInfo(row_of(request, session_id), current=session_id == current)
    unconfirmed = None
    if entry.live and not entry.current:
        unconfirmed = confirmation.ask(request, request.user, confirmation.END)
    if unconfirmed is not None:
        return unconfirmed
    if request.method != "POST" and entry.live:
        return render(request, "live_single_session/confirm_end.html", {"entry": entry})
    if request.method != "POST":
        ended = 0
    elif entry.current:
        auth.logout(request)
        ended = 1
    else:
        ended = int(registry.end(entry.row, EndReason.REVOKED))
    if not wants_page(request):
        return JsonResponse({"ended": ended})
    if entry.current:
        return redirect(settings.LOGOUT_REDIRECT_URL or login_url())
    name = entry.device or _("Unknown device")
    done = _("%(device)s was signed out.") if ended else _("%(device)s had signed out already.")
    messages.success(request, done % {"device": name}, fail_silently=True)
    return redirect("live_single_session:sessions")


@own
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def end_others(request: HttpRequest) -> HttpResponse:
    """End all of the user's sessions but this one, once the user has confirmed it."""
    current = current_id(request)
    unconfirmed = confirmation.ask(request, request.user, confirmation.END_OTHERS)
    if unconfirmed is not None:
        return unconfirmed
    if request.method != "POST":
        others = rows_of(request).live().filter(~Q(pk=current)).count()
        return render(request, "live_single_session/confirm_end.html", {"others": others})
    ended = registry.end_all(request.user, EndReason.REVOKED, keep=current)
    if not wants_page(request):
        return JsonResponse({"ended": ended})
    done = ngettext(
        "%(count)d other device was signed out.",
        "%(count)d other devices were signed out.",
        ended,
    )
    messages.success(request, done % {"count": ended}, fail_silently=True)
    return redirect("live_single_session:sessions")


def _without_expired(shown: list[UserSession], rows: UserSessionQuerySet) -> list[UserSession]:
    """End the shown sessions that have expired unnoticed."""
    now = timezone.now()
    live = [row for row in shown if row.ended_at is None]
    due = [r.pk for r in live if _is_past(r.expires_at, now) or _is_past(r.ends_at, now)]
    if not due or not maintenance.expire(rows.filter(pk__in=due)):
        return shown
    fresh = rows.in_bulk([row.pk for row in shown])
    return [fresh.get(row.pk, row) for row in shown]


def _is_past(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _page_as_json(page: Any, entries: list[SessionInfo]) -> dict[str, Any]:
    address = reverse("live_single_session:sessions")

    def link(number: int) -> str:
        return with_query(address, {"page": str(number)})

    return {
        "count": page.paginator.count,
        "page": page.number,
        "pages": page.paginator.num_pages,
        "next": link(page.next_page_number()) if page.has_next() else None,
        "previous": link(page.previous_page_number()) if page.has_previous() else None,
        "sessions": [entry.as_json() for entry in entries],
    }
