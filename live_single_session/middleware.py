"""The middleware: what has to be done about a request's session after its view.

It looks only at what the request has loaded already: an ordinary request costs neither a
query nor a thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import ref

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from live_single_session import devices
from live_single_session.django_internals import (
    keep_session_cookie,
    loaded_data,
    loaded_user,
    on_load,
    skip_session_cookie,
)
from live_single_session.exceptions import Busy
from live_single_session.http import refusals, responses
from live_single_session.http.follow_ups import follow_up_for
from live_single_session.realtime import push, streams
from live_single_session.registry import engine
from live_single_session.request_state import serving, state_of
from live_single_session.session_status import own_id


class SingleSessionMiddleware:
    """Adopts and explains sessions, and answers refused logins.

    It goes below ``AuthenticationMiddleware``.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        devices.load()
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        with serving(request):
            response: HttpResponseBase = self.get_response(request)
        if follow_up := follow_up_for(request, response):
            response = follow_up(request, response)
        return _last_touches(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        state_of(request).loop = asyncio.get_running_loop()
        with serving(request):
            response: HttpResponseBase = await self.get_response(request)
        if follow_up := follow_up_for(request, response):
            response = await sync_to_async(follow_up)(request, response)
        await push.sent_by(request)
        return _last_touches(request, response)

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

    It would set the cookie after each save, also if the engine has saved nothing because the
    session has ended, and delete the cookie of each empty session.
    """
    session: Any = getattr(request, "session", None)
    if not engine.is_gated(session):
        return
    if session.dropped and not session.has_begun:
        skip_session_cookie(response)
    else:
        answer = ref(response)  # a request is to be freed with its answer
        session.on_drop = lambda: _skip_cookie_of(answer())
    if session.keeps_cookie:
        keep_session_cookie(request, session.presented_key)


def _skip_cookie_of(response: HttpResponseBase | None) -> None:
    if response is not None:
        skip_session_cookie(response)


def _last_touches(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    keep_cookie_in_step(request, response)
    responses.keep_message_of_prefetch(request)
    keep_out_of_shared_caches(request, response)
    end_stream_with_session(request, response)
    return response


def keep_out_of_shared_caches(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let a cache for the whole site keep no page that was made for a signed-in session.

    Such a cache would go on to serve it to the dead cookie. Whoever says anything of caching
    knows better; and a 304 is about headers that the client has already.
    """
    session_data = loaded_data(getattr(request, "session", None)) or {}
    if SESSION_KEY not in session_data or response.status_code == 304:
        return
    if not any(name in response.headers for name in ("Cache-Control", "CDN-Cache-Control")):
        response.headers["Cache-Control"] = "private"


def end_stream_with_session(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop an asynchronous streaming response of a signed-in user when the session ends.

    Not under WSGI: there Django collects the whole response before it sends anything.
    """
    if not isinstance(response, StreamingHttpResponse) or not response.is_async:
        return
    if not isinstance(request, ASGIRequest):
        return
    if (owner := _owner_of(request)) is None:
        return
    if owner.session is not None and request.method != "HEAD":
        response.headers.pop("Content-Length", None)  # which it won't have if it is cut
    streams.end_with_session(response, owner)


def _owner_of(request: HttpRequest) -> streams.Owner | None:
    """Return whose session a response was made for, or may yet be read for."""
    owner = streams.Owner(getattr(request, "tenant", None))
    session = getattr(request, "session", None)
    data = loaded_data(session)
    if (bearer := state_of(request).bearer) is not None:
        owner.is_known(bearer.session_id, bearer.user_pk)
    elif _is_by_token(request, data or {}):
        return None
    elif data is not None:
        owner.look(data)
    elif session is not None and settings.SESSION_COOKIE_NAME in request.COOKIES:
        on_load(session, owner.look)
        return owner
    return None if owner.session is None else owner


def _is_by_token(request: HttpRequest, session_data: dict[str, Any]) -> bool:
    """Tell whether a token has let somebody in, beside a session of somebody else's.

    A user who is another one without a token is impersonated, by whoever has the session.
    """
    user = loaded_user(request)
    has_token = user is not None and "Authorization" in request.headers
    return has_token and own_id(session_data, user) is None
