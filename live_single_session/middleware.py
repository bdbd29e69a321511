"""The middleware: what has to be done about a request's session after its view.

It looks only at what the request has loaded already: an ordinary request costs neither a
query nor a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import ref

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from live_single_session.django_internals import (
    keep_session_cookie,
    loaded_data,
    skip_session_cookie,
)
from live_single_session.exceptions import Busy
from live_single_session.http import refusals, responses
from live_single_session.http.follow_ups import follow_up_for
from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.realtime import streams
from live_single_session.registry import engine
from live_single_session.request_state import serving, state_of


class SingleSessionMiddleware:
    """Adopts and explains sessions, and answers refused logins.

    It goes below ``AuthenticationMiddleware``.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        with serving(request):
            response: HttpResponseBase = self.get_response(request)
        if follow_up := follow_up_for(request, response):
            response = follow_up(request, response)
        keep_cookie_in_step(request, response)
        end_stream_with_session(request, response)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with serving(request):
            response: HttpResponseBase = await self.get_response(request)
        if follow_up := follow_up_for(request, response):
            response = await sync_to_async(follow_up)(request, response)
        keep_cookie_in_step(request, response)
        end_stream_with_session(request, response)
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer a request whose sign-in was refused, or has waited for a lock too long."""
        if isinstance(exception, Busy):
            return responses.busy(request)
        refused = state_of(request).refused
        return None if refused is None else refusals.answer(request, refused)


def keep_cookie_in_step(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep ``SessionMiddleware`` from touching a cookie that the browser may have replaced.

    It sets one for whatever was saved, also where the engine saves nothing since the session
    has ended, and deletes the one of whatever is empty.
    """
    session: Any = getattr(request, "session", None)
    if not engine.is_gated(session):
        return
    if session.dropped:
        skip_session_cookie(response)
    else:
        answer = ref(response)  # a request is to be freed with its answer
        session.on_drop = lambda: _skip_cookie_of(answer())
    if session.keeps_cookie:
        keep_session_cookie(request, session.presented_key)


def _skip_cookie_of(response: HttpResponseBase | None) -> None:
    if response is not None:
        skip_session_cookie(response)


def end_stream_with_session(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop an asynchronous streaming response of a signed-in user when the session ends.

    Not under WSGI: there Django collects the whole response before it sends anything.
    """
    if not isinstance(response, StreamingHttpResponse) or not response.is_async:
        return
    if not isinstance(request, ASGIRequest):
        return
    data = loaded_data(getattr(request, "session", None)) or {}
    session_id = as_uuid(data.get(SESSION_ID_KEY))
    if (bearer := state_of(request).bearer) is not None:
        streams.end_with_session(response, bearer.session_id, bearer.user_pk)
    elif session_id is not None and SESSION_KEY in data:
        streams.end_with_session(response, session_id, data[SESSION_KEY])
