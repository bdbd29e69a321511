"""Enforces the end of a session on the connections of any consumer or ASGI app.

A connection of an ended session is refused. One whose session ends is disconnected (see
``cutoff``). A request that is running when its session ends gets its app's own answer; the
next one gets 401, or, where it may be a sign-in, is served as a visitor's. The path of the
package's own websocket is served here, whatever is inside.
"""

import json

from django.conf import settings

from live_single_session.conf import conf
from live_single_session.notices import HEADER, EndNotice, in_language_of
from live_single_session.realtime.asgi import (
    CLOSE_ENDED,
    Application,
    Message,
    Receive,
    Scope,
    Send,
    accept,
    close,
    required,
)
from live_single_session.realtime.consumer import SingleSessionConsumer
from live_single_session.realtime.cutoff import Exchange, Websocket
from live_single_session.realtime.following import following
from live_single_session.realtime.lookup import find_status, look_up
from live_single_session.realtime.waiter import Ended
from live_single_session.realtime.watcher import watching
from live_single_session.registry import uses
from live_single_session.site_urls import status_url


class Guard:
    """Wraps an ASGI app; ``session``, ``user`` and ``cookies`` must be in the scope."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and _is_our_own(scope) and _is_somebody(scope):
            await SingleSessionConsumer()(scope, receive, send)
            return
        if scope["type"] not in ("websocket", "http"):
            await self.inner(scope, receive, send)
            return
        found = await find_status(scope)
        if found.notice is not None and _may_sign_in(scope):
            await self.inner(scope, receive, _telling(send, found.notice))
        elif found.notice is not None:
            await _turn_away(scope, receive, send, found.notice)
        elif found.session_id is not None:
            if _is_use(scope) and uses.is_due(found.session_id):
                await look_up(scope, uses.record, found.session_id)
            async with watching(found.session_id, found.user_pk, scope.get("tenant")) as ended:
                if ended.done():
                    await _turn_away(scope, receive, send, ended.result())
                else:
                    await self._run(scope, receive, send, ended)
        elif scope["type"] == "websocket":
            await self._run(scope, receive, send, None)
        else:
            await self.inner(scope, receive, send)

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, ended: Ended | None
    ) -> None:
        """Run the app inside until it is done, or its session has ended."""
        if scope["type"] == "http" and ended is not None:
            await Exchange(scope, receive, send, ended).run(self.inner)
            return
        with following(scope, ended) as its_end:
            await Websocket(scope, receive, send, its_end).run(self.inner)


async def _turn_away(scope: Scope, receive: Receive, send: Send, notice: EndNotice) -> None:
    if scope["type"] == "http":
        await _answer_401(scope, send, notice)
        return
    await receive()  # websocket.connect
    await accept(scope, send)
    await close(send, CLOSE_ENDED)


async def _answer_401(scope: Scope, send: Send, notice: EndNotice) -> None:
    with in_language_of(scope):
        body = json.dumps(notice.body()).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (HEADER.lower().encode(), notice.code.encode()),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _may_sign_in(scope: Scope) -> bool:
    """Tell whether a request of nobody may be a sign-in, which a dead cookie must not stop."""
    is_unsafe = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")
    return is_unsafe and not required(scope, "user").is_authenticated


def _telling(send: Send, notice: EndNotice) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            header = (HEADER.lower().encode(), notice.code.encode())
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return tell


def _is_our_own(scope: Scope) -> bool:
    """Tell whether this is the path of the package's own websocket, below any prefix.

    Servers and proxies differ in whether ``path`` holds the prefix, and who knows of it.
    """
    prefixes = {"", scope.get("root_path", ""), settings.FORCE_SCRIPT_NAME or ""}
    own = conf.WEBSOCKET_PATH
    return own is not None and scope["path"] in {f"{p.rstrip('/')}{own}" for p in prefixes}


def _is_use(scope: Scope) -> bool:
    """Tell whether a request to an app beside Django is use of its session."""
    names = {name for name, _ in scope.get("headers", ())}
    is_passive = b"session-passive" in names or b"sec-purpose" in names
    return scope["type"] == "http" and not is_passive and scope["path"] != status_url()


def _is_somebody(scope: Scope) -> bool:
    """Tell whether a connection may have a session; else a token may yet be found inside."""
    if settings.SESSION_COOKIE_NAME in scope.get("cookies", {}):
        return True
    has_ended = getattr(required(scope, "session"), "ended_session_id", None) is not None
    return has_ended or bool(required(scope, "user").is_authenticated)
