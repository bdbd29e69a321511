"""What a request has to do with its session, around all of Django's views.

On the way out, and by looking only at what the request has loaded already: an ordinary
request costs neither a query nor a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import ref

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from live_single_session import refusals, streams
from live_single_session.context import bearer_of, serving
from live_single_session.errands import errand_for
from live_single_session.keeper import keep_answer
from live_single_session.models import SESSION_ID_KEY, as_uuid


class SingleSessionMiddleware:
    """Keeps requests and sessions in step; goes behind ``AuthenticationMiddleware``."""

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
        keeper = keep_answer(request)
        with serving(request):
            response: HttpResponseBase = self.get_response(request)
        keeper.response = ref(response)
        if errand := errand_for(request, response):
            response = errand(request, response)
        end_stream_with_session(request, response)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        keeper = keep_answer(request)
        with serving(request):
            response: HttpResponseBase = await self.get_response(request)
        keeper.response = ref(response)
        if errand := errand_for(request, response):
            response = await sync_to_async(errand)(request, response)
        end_stream_with_session(request, response)
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer a request whose login found no place."""
        refused = refusals.found_in(exception)
        return refusals.answer(request, refused) if refused else None


def end_stream_with_session(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop an asynchronous streaming response of a signed-in user when the session ends.

    Not under WSGI, which collects it on an event loop of its own before it sends anything.
    """
    if not isinstance(response, StreamingHttpResponse) or not response.is_async:
        return
    if not isinstance(request, ASGIRequest):
        return
    data = getattr(getattr(request, "session", None), "_session_cache", None) or {}
    session_id = as_uuid(data.get(SESSION_ID_KEY))
    if (bearer := bearer_of(request)) is not None:
        streams.end_with_session(response, bearer.session_id, bearer.user_pk)
    elif session_id is not None and SESSION_KEY in data:
        streams.end_with_session(response, session_id, data[SESSION_KEY])
