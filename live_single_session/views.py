"""The pages under ``session/``: for now, whether the session that asks is still live."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from live_single_session.answers import HEADER, ended_body
from live_single_session.standing import standing


@never_cache
@require_safe
async def status(request: HttpRequest) -> JsonResponse:
    """Say over HTTP what the websocket would say, where websockets are blocked."""
    user = await request.auser()
    return await sync_to_async(_status)(request, user)


def _status(request: HttpRequest, user: object) -> JsonResponse:
    found = standing(
        request.session,
        user,
        request.COOKIES.get(settings.SESSION_COOKIE_NAME),
        request.GET.get("session"),
    )
    if found.farewell is not None:
        frame = found.farewell.frame(signed_in=found.signed_in)
        body = {**frame, **ended_body(found.farewell)}
        return JsonResponse(body, status=401, headers={HEADER: found.farewell.reason})
    if found.session_id is not None:
        return JsonResponse({"live": True, "session": str(found.session_id)})
    return JsonResponse({"code": "not_signed_in"}, status=401)
