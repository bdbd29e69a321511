"""What a request has to do with its session having started, changed or ended.

All of it happens on the way out, and only by looking at what the request has already
loaded: an ordinary request costs neither a query nor a thread. What has to be done is
decided here without I/O, and done by one synchronous function, in a thread if need be.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from live_single_session import answers, engine, registry, streams
from live_single_session.context import bearer_of, serving, started_in
from live_single_session.farewell import farewell_to
from live_single_session.models import SESSION_ID_KEY, EndReason, UserSession, as_uuid

Errand = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]


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
        with serving(request):
            response: HttpResponseBase = self.get_response(request)
        errand = errand_for(request, response)
        return errand(request, response) if errand else response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with serving(request):
            response: HttpResponseBase = await self.get_response(request)
        if errand := errand_for(request, response):
            response = await sync_to_async(errand)(request, response)
        end_stream_with_session(request, response)
        return response


def errand_for(request: HttpRequest, response: HttpResponseBase) -> Errand | None:
    """Return what has to be done about the session before this response goes out."""
    session = getattr(request, "session", None)
    data = getattr(session, "_session_cache", None)
    # Django saves no session and sets no cookie for a response that failed.
    if session is None or data is None or response.status_code >= 500:
        return None
    if answers.HEADER in response.headers:
        return None
    if SESSION_KEY not in data:
        return explain if _has_dead_cookie(request, session) else None
    keep_answer(session)
    if SESSION_ID_KEY not in data:
        return adopt if _user_of(request, data) else None
    if _was_rolled_back(request, data):
        return undo_login
    if engine.keeps_keys() and session.session_key != _known_key(request):
        return follow_key
    return check_user if _is_turned_away(request) else None


def keep_answer(session: SessionBase) -> None:
    """Let a request whose session ends while it runs keep its view's own answer.

    Django would replace it by a bare 400 when it saves the session. What the request
    wrote to the session is dropped; its cookie is dead, and the next request is told.
    """
    save = session.save

    def save_unless_ended(must_create: bool = False) -> None:
        try:
            save(must_create)
        except UpdateError:
            if must_create:
                raise

    session.save = save_unless_ended  # type: ignore[method-assign]


def end_stream_with_session(request: HttpRequest, response: HttpResponseBase) -> None:
    """Stop an asynchronous streaming response of a signed-in user when the session ends."""
    if not isinstance(response, StreamingHttpResponse) or not response.is_async:
        return
    data = getattr(getattr(request, "session", None), "_session_cache", None) or {}
    session_id = as_uuid(data.get(SESSION_ID_KEY))
    if (bearer := bearer_of(request)) is not None:
        streams.end_with_session(response, bearer.session_id, bearer.user_pk)
    elif session_id is not None and SESSION_KEY in data:
        streams.end_with_session(response, session_id, data[SESSION_KEY])


def adopt(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give a row to a session from before the installation."""
    registry.adopt(_user_of(request, request.session), request)
    return response


def undo_login(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Sign out whom a login signed in that was rolled back, and leave the browser as it was."""
    session = request.session
    # In a site's TestCase no login is ever committed, and yet it is there.
    if registry.recognise(None, session[SESSION_ID_KEY]) is None:
        session.delete()
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = engine.store_class()(cookie)
    return response


def follow_key(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Record a session's new key, or drop it if the session has ended meanwhile."""
    session = request.session
    old_key, new_key = _known_key(request), session.session_key
    session_id, user_pk = session[SESSION_ID_KEY], session[SESSION_KEY]
    if old_key is None or new_key is None:
        return response
    if not registry.rotate(session_id, user_pk, old_key, new_key):
        session.delete(new_key)
        # The browser keeps the dead cookie, by which the next request is told.
        session._session_key = old_key
        session.modified = False
    return response


def check_user(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """End the session of a user who is no longer let in."""
    session_id = as_uuid(request.session[SESSION_ID_KEY])
    row = registry.ended_among([session_id]).get(session_id) if session_id else None
    if row is None:
        return response
    request.session.flush()
    return tell(request, response, row)


def explain(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Tell the bearer of a dead cookie why it is dead."""
    cookie = request.COOKIES[settings.SESSION_COOKIE_NAME]
    session_id = getattr(request.session, "ended_session_id", None)
    row = registry.recognise(cookie, session_id)
    if row is None:
        return response
    if row.ended_at is None:  # the engine has forgotten it, or found it invalid
        registry.end(row, EndReason.EXPIRED)
        row.refresh_from_db()
    return tell(request, response, row)


def tell(
    request: HttpRequest, response: HttpResponseBase, row: UserSession
) -> HttpResponseBase:
    """Return the answer to a request whose session has ended."""
    return answers.session_ended(request, response, farewell_to(row))


def _has_dead_cookie(request: HttpRequest, session: SessionBase) -> bool:
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    signed_out_here = getattr(request, "_live_single_session_signed_out", False)
    return bool(cookie) and cookie != session.session_key and not signed_out_here


def _known_key(request: HttpRequest) -> str | None:
    """Return the session's key as the registry knows it."""
    started = started_in(request)
    return started.key if started else request.COOKIES.get(settings.SESSION_COOKIE_NAME)


def _was_rolled_back(request: HttpRequest, data: dict[str, Any]) -> bool:
    started = started_in(request)
    return started is not None and started.id == data[SESSION_ID_KEY] and not started.committed


def _loaded_user(request: HttpRequest) -> Any:
    """Return the user if this request has loaded one; it would cost a query otherwise."""
    loaded = request.__dict__
    user = loaded.get("user")
    if not isinstance(user, SimpleLazyObject):
        return user
    return loaded.get("_cached_user") or loaded.get("_acached_user")


def _user_of(request: HttpRequest, data: Any) -> Any:
    """Return the user whom this request has found its session to belong to."""
    user = _loaded_user(request)
    signed_in = user is not None and user.is_authenticated
    return user if signed_in and str(user.pk) == data[SESSION_KEY] else None


def _is_turned_away(request: HttpRequest) -> bool:
    user = _loaded_user(request)
    return user is not None and not user.is_authenticated
