"""What the websocket says and is told, over HTTP: is the session live, and is it in use?"""

from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from live_single_session.conf import conf
from live_single_session.django_internals import leave_session_alone
from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.notices import HEADER, ending_frame
from live_single_session.registry import time_limits, uses
from live_single_session.request_state import state_of
from live_single_session.session_status import cookie_digest, status_of

MOST_FRESHNESS = 32  # characters


@login_not_required
@never_cache
@require_safe
def status(request: HttpRequest) -> JsonResponse:
    """Say over HTTP what the websocket would say, where websockets are blocked."""
    return _answer(request)


def _answer(request: HttpRequest) -> JsonResponse:
    digest = cookie_digest(request.COOKIES)
    found = status_of(request.session, request.user, digest, request.GET.get("session"))
    if found.session_id is None and SESSION_KEY in request.session and not found.notice:
        # From before the installation: it is adopted, and has an id afterwards.
        return JsonResponse({"live": True, "session": None, **_freshness(request)})
    # It is no use of the session. And no dead cookie is removed: a script asks here, whose
    # answer may come late, when somebody has signed in again in another tab.
    leave_session_alone(request)
    state_of(request).only_asks = True
    if found.notice is not None:
        frame = found.notice.frame(signed_in=found.signed_in)
        body = {**frame, **found.notice.body()}
        return JsonResponse(body, status=401, headers={HEADER: found.notice.code})
    if found.session_id is not None:
        return JsonResponse(
            {
                "live": True,
                "session": str(found.session_id),
                **_freshness(request),
                **_ending(found.session_id),
            }
        )
    return JsonResponse({"code": "not_signed_in"}, status=401)


def _ending(session_id: UUID) -> dict[str, Any]:
    """Return the warning that a session is about to end in time, if it is."""
    ahead = time_limits.soon([session_id], conf.WARN_SECONDS).get(session_id)
    if ahead is None:
        return {}
    return {"ending": ending_frame(session_id, ahead.reason, ahead.seconds)}


@csrf_exempt  # a form of another site can't send JSON
@login_not_required
@never_cache
@require_POST
def active(request: HttpRequest) -> JsonResponse:
    """Record that somebody uses an open page, where there is no websocket to say so.

    Returns:
        what ``status()`` does; 415 if the request isn't one of JSON.
    """
    if request.content_type != "application/json":
        return JsonResponse({"code": "not_json"}, status=415)
    session_id = as_uuid(request.session.get(SESSION_ID_KEY))
    if session_id is not None and uses.interval() is not None:
        uses.record(session_id, request)
    return _answer(request)


def _freshness(request: HttpRequest) -> dict[str, str]:
    """Return what only this answer can say, and none that a cache has kept."""
    fresh = request.GET.get("fresh", "")
    return {"fresh": fresh} if fresh.isalnum() and len(fresh) <= MOST_FRESHNESS else {}
