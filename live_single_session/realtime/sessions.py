"""Puts the browser's session into an ASGI scope, and stores what the app inside changes.

Channels' own middleware fails an answer whose session has ended meanwhile, stores sessions
that were only read, and lets a late answer sign the browser out of its newer session.
"""

import time
from typing import Any

from channels.sessions import CookieMiddleware
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils.http import http_date

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.realtime.asgi import (
    Application,
    Message,
    Receive,
    Scope,
    Send,
    required,
)
from live_single_session.realtime.lookup import look_up
from live_single_session.registry import ending, engine


class SessionMiddleware:
    """Puts ``session`` into the scope; needs ``cookies`` in it.

    What an app's own login, logout or change has made is stored before its HTTP answer
    begins, and gets its cookie. A session that was only loaded, or that has ended, is never
    stored, nor its cookie deleted. One that is in the scope already is whose put it there.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "session" in scope:
            await self.inner(scope, receive, send)
            return
        cookie = required(scope, "cookies").get(settings.SESSION_COOKIE_NAME)
        session = engine.store_class()(cookie)

        async def storing(message: Message) -> None:
            if message["type"] == "http.response.start" and session.modified:
                message = await _stored(session, scope, message)
            await send(message)

        await self.inner({**scope, "session": session}, receive, storing)


async def _stored(session: Any, scope: Scope, start: Message) -> Message:
    """Store a session that has changed; return the start of the answer with its cookie."""
    is_refused = _noted(session, "ended_session_id") and SESSION_KEY not in session
    if start.get("status", 200) >= 500 or is_refused:
        return start
    if not engine.keeps_keys() and await look_up(scope, _has_ended, session):
        return start  # a cookie that is its own session can always be stored
    start = {**start, "headers": list(start.get("headers", ()))}
    if not session.is_empty():
        await look_up(scope, session.save)
        if not _noted(session, "dropped"):
            _set_cookie(session, start)
    elif settings.SESSION_COOKIE_NAME in scope["cookies"] and not _noted(
        session, "keeps_cookie"
    ):
        CookieMiddleware.delete_cookie(
            start,
            settings.SESSION_COOKIE_NAME,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
        )
    return start


def _has_ended(session: SessionBase) -> bool:
    session_id = as_uuid(session.get(SESSION_ID_KEY))
    return session_id is not None and session_id in ending.ended_among({session_id})


def _noted(session: Any, name: str) -> bool:
    """Return what the session engine has noted; Django's own note nothing."""
    return bool(getattr(session, name, None))


def _set_cookie(session: Any, start: Message) -> None:
    max_age = None if session.get_expire_at_browser_close() else session.get_expiry_age()
    CookieMiddleware.set_cookie(
        start,
        settings.SESSION_COOKIE_NAME,
        session.session_key,
        max_age=max_age,
        expires=None if max_age is None else http_date(time.time() + max_age),
        domain=settings.SESSION_COOKIE_DOMAIN,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=settings.SESSION_COOKIE_HTTPONLY,
        samesite=settings.SESSION_COOKIE_SAMESITE or None,
    )
