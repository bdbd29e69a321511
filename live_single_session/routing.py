"""What a site mounts in its ASGI routing: the stack around its websockets, and our own.

The stack is cookies, session, user, guard, in that order, and it only ever reads:
``channels.auth`` ignores ``SECRET_KEY_FALLBACKS`` and then flushes the session, so that
opening a socket after a rotation of the secret signs its user out.
"""

from typing import Any

from channels.db import database_sync_to_async
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.sessions.backends.base import SessionBase
from django.urls import path
from django.utils.crypto import constant_time_compare

from live_single_session.conf import conf
from live_single_session.realtime.asgi import Application, Receive, Scope, Send, required
from live_single_session.realtime.consumer import SingleSessionConsumer
from live_single_session.realtime.guard import Guard


def SingleSessionMiddlewareStack(inner: Application) -> Application:  # noqa: N802
    """Wrap an ASGI app so that it knows its user, and stops when the session ends."""
    stack = SessionMiddlewareStack(UserMiddleware(Guard(inner)))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        has_session = scope["type"] in ("http", "websocket")  # which a lifespan has not
        await (stack if has_session else inner)(scope, receive, send)

    return app


class UserMiddleware:
    """Puts the session's user into the scope; needs ``session`` in it, and only reads it.

    Who brings a ``session`` and a ``user`` of its own, by other means than a cookie, goes
    around the stack.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "user" not in scope:
            user = await database_sync_to_async(user_of)(required(scope, "session"))
            scope = {**scope, "user": user}
        await self.inner(scope, receive, send)


def user_of(session: SessionBase) -> Any:
    """Return the user of a session as Django's ``get_user`` finds it, but leave it alone."""
    from django.contrib.auth.models import AnonymousUser

    backend_path: str = session.get(BACKEND_SESSION_KEY) or ""
    if SESSION_KEY not in session or backend_path not in settings.AUTHENTICATION_BACKENDS:
        return AnonymousUser()
    user_pk = get_user_model()._meta.pk.to_python(session[SESSION_KEY])
    user = load_backend(backend_path).get_user(user_pk)
    return user if user is not None and _is_valid(session, user) else AnonymousUser()


def _is_valid(session: SessionBase, user: Any) -> bool:
    if not hasattr(user, "get_session_auth_hash"):
        return True
    stored = session.get(HASH_SESSION_KEY) or ""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(stored, valid) for valid in hashes)


websocket_urlpatterns = [
    path(conf.WEBSOCKET_PATH.lstrip("/"), SingleSessionConsumer.as_asgi()),
]
