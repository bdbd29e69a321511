"""Every read or patch of what Django keeps private.

Each of these names is used by Django itself on every supported version; the suite runs
on all of them.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject, empty

# Of JSON that is worth being read for a name: a sign-in is much shorter.
MOST_BYTES = 16_384


def loaded_data(session: SessionBase | None) -> dict[str, Any] | None:
    """Return the data of a session if it was loaded already, without loading it."""
    data: dict[str, Any] | None = getattr(session, "_session_cache", None)
    return data


def on_load(session: SessionBase, callback: Callable[[dict[str, Any]], None]) -> None:
    """Call back with the data of a session when it is loaded, in whichever thread that is."""
    held = ref(session)  # a request is to be freed with its answer

    def load() -> dict[str, Any]:
        loaded: Any = held()
        data: dict[str, Any] = type(loaded).load(loaded)
        callback(data)
        return data

    async def aload() -> dict[str, Any]:
        loaded: Any = held()
        data: dict[str, Any] = await type(loaded).aload(loaded)
        callback(data)
        return data

    session.load, session.aload = load, aload  # type: ignore[method-assign]


def loaded_user(request: HttpRequest) -> Any:
    """Return the user if this request has loaded one already, without loading it."""
    loaded = request.__dict__
    for name in ("user", "_cached_user", "_acached_user"):
        user = loaded.get(name)
        if isinstance(user, SimpleLazyObject) and user.__dict__["_wrapped"] is empty:
            continue
        if user is not None:
            return user
    return None


def loaded_body(request: HttpRequest) -> Mapping[str, Any]:
    """Return the form or the JSON object that a request brought, if its view has read it."""
    loaded = request.__dict__
    if loaded.get("_post"):
        return request.POST
    body = loaded.get("_body", b"")
    if request.content_type != "application/json" or len(body) > MOST_BYTES:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def has_new_password(user: Any) -> bool:
    """Tell whether ``set_password()`` was called and no save has followed yet.

    False where Django only upgrades the hash.
    """
    return getattr(user, "_password", None) is not None


GET_USER, LOGIN = "get_user", "login"
_FLUSHING = {"get_user": GET_USER, "aget_user": GET_USER, "login": LOGIN, "alogin": LOGIN}


def flushed_by() -> str | None:
    """Tell why a session's ``flush()``, from which this is called, was called.

    Returns:
        ``GET_USER``: by Django, because the session's hash is not that of its user;
        ``LOGIN``: by Django, because another user signs in; None: by a view, to sign out.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name in ("flush", "aflush"):
        frame = frame.f_back
    if frame.f_globals.get("__name__") not in ("django.contrib.auth", "channels.auth"):
        return None
    return _FLUSHING.get(frame.f_code.co_name)


def keep_session_cookie(request: HttpRequest, session_key: str | None = None) -> None:
    """Keep ``SessionMiddleware`` from deleting the cookie of an empty session.

    It would delete the cookie that this request came with. But the browser may have a new
    one by now, from another response.

    Args:
        request: the request.
        session_key: what is in the cookie, in case the cookie has another name.
    """
    name = settings.SESSION_COOKIE_NAME
    request.COOKIES = {
        key: value
        for key, value in request.COOKIES.items()
        if key != name and value != session_key
    }


def leave_session_alone(request: HttpRequest) -> None:
    """Let ``SessionMiddleware`` neither store this request's session nor touch its cookie.

    Also where ``SESSION_SAVE_EVERY_REQUEST`` says so, but not where a middleware of the site
    has given it a new key. It does nothing about what is empty and came without a cookie.
    """
    keep_session_cookie(request)
    session: Any = request.session
    session.is_empty = lambda: not getattr(session, "has_new_key", False)


def skip_session_cookie(response: HttpResponseBase) -> None:
    """Keep ``SessionMiddleware`` from setting the cookie of a saved session."""
    if "set_cookie" in response.__dict__:
        return
    set_cookie = response.set_cookie

    def set_other_cookie(key: str, *args: Any, **kwargs: Any) -> None:
        if key == settings.SESSION_COOKIE_NAME:
            del response.set_cookie  # a response may be pickled, for a cache
        else:
            set_cookie(key, *args, **kwargs)

    response.set_cookie = set_other_cookie  # type: ignore[method-assign]
