"""The page on which a user names a device, to know it again in the list of sessions."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from live_single_session.client import printable
from live_single_session.http.bodies import text_of
from live_single_session.http.own import current_id, own, row_of
from live_single_session.http.responses import wants_page
from live_single_session.models import DEVICE_LENGTH, UserSession
from live_single_session.registry import lifecycle
from live_single_session.session_info import SessionInfo


@own
@require_http_methods(["GET", "HEAD", "POST"])
def name_device(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Name the device of one of the user's live sessions; an empty name takes it away."""
    row = row_of(request, session_id)
    if row.ended_at is not None:
        raise UserSession.DoesNotExist
    entry = SessionInfo(row, current=session_id == current_id(request))
    if request.method != "POST":
        context = {"entry": entry, "longest": DEVICE_LENGTH}
        return render(request, "live_single_session/name_device.html", context)
    name = text_of(request, "name")
    if name is None:
        return HttpResponse(status=400)
    row.device = printable(name, DEVICE_LENGTH).strip()
    if not lifecycle.name_device(row):
        raise UserSession.DoesNotExist
    if not wants_page(request):
        return JsonResponse({"device": entry.device or None})
    return redirect("live_single_session:sessions")
