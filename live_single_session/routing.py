"""ASGI routing: the stack for a site's websockets, and the package's own websocket.

The stack is cookies, session, user, guard, in that order.
"""

from channels.sessions import CookieMiddleware
from django.urls import path

from live_single_session.conf import conf
from live_single_session.realtime.asgi import Application, Receive, Scope, Send, required
from live_single_session.realtime.consumer import SingleSessionConsumer
from live_single_session.realtime.guard import Guard
from live_single_session.realtime.lookup import look_up
from live_single_session.realtime.sessions import SessionMiddleware
from live_single_session.session_user import user_of


def SingleSessionMiddlewareStack(inner: Application) -> Application:  # noqa: N802
    """Wrap an ASGI app so that it knows its user, and stops when the session ends."""
    stack = CookieMiddleware(SessionMiddleware(UserMiddleware(Guard(inner))))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        has_session = scope["type"] in ("http", "websocket")  # a lifespan has none
        await (stack if has_session else inner)(scope, receive, send)

    return app


class UserMiddleware:
    """Puts the session's user into the scope; ``session`` must be in it, and is only read.

    A middleware that puts its own ``session`` and ``user`` into the scope, without a cookie,
    goes around the stack.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "user" not in scope:
            user = await look_up(scope, user_of, required(scope, "session"))
            scope = {**scope, "user": user}
        await self.inner(scope, receive, send)


websocket_urlpatterns = (
    []
    if conf.WEBSOCKET_PATH is None
    else [path(conf.WEBSOCKET_PATH.lstrip("/"), SingleSessionConsumer.as_asgi())]
)
