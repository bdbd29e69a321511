"""All that we read or patch of what Django keeps private, in one place.

Each of these names is used by Django itself on every supported version; the suite runs
on all of them.
"""

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject, empty


def loaded_data(session: SessionBase | None) -> dict[str, Any] | None:
    """Return the data of a session if it was loaded already; loading may take a query."""
    data: dict[str, Any] | None = getattr(session, "_session_cache", None)
    return data


def loaded_user(request: HttpRequest) -> Any:
    """Return the user if this request has one already; finding one may take a query."""
    loaded = request.__dict__
    for name in ("user", "_cached_user", "_acached_user"):
        user = loaded.get(name)
        if isinstance(user, SimpleLazyObject) and user.__dict__["_wrapped"] is empty:
            continue
        if user is not None:
            return user
    return None


def user_found_by_django(request: HttpRequest) -> Any:
    """Return whom Django has found behind the session that this request came with."""
    loaded = request.__dict__
    return loaded.get("_cached_user") or loaded.get("_acached_user")


def has_new_password(user: Any) -> bool:
    """Tell whether ``set_password()`` was called and no save has followed yet.

    Not so when a hash is upgraded.
    """
    return getattr(user, "_password", None) is not None


def keep_session_cookie(request: HttpRequest) -> None:
    """Let ``SessionMiddleware`` leave the browser's cookie alone where a session is empty.

    It deletes a cookie that this request came with, and may be right about that one; but
    another answer may have replaced it meanwhile.
    """
    name = settings.SESSION_COOKIE_NAME
    request.COOKIES = {key: value for key, value in request.COOKIES.items() if key != name}


def skip_session_cookie(response: HttpResponseBase) -> None:
    """Swallow the cookie that ``SessionMiddleware`` is about to set for a saved session."""
    set_cookie = response.set_cookie

    def set_other_cookie(key: str, *args: Any, **kwargs: Any) -> None:
        if key == settings.SESSION_COOKIE_NAME:
            del response.set_cookie  # a response may be pickled, for a cache
        else:
            set_cookie(key, *args, **kwargs)

    response.set_cookie = set_other_cookie  # type: ignore[method-assign]
