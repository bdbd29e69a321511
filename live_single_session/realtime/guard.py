"""Enforces the end of a session on the connections of any consumer or ASGI app.

A connection of an ended session is refused. One whose session ends is disconnected (see
``cutoff``). A request that is running when its session ends gets its app's own answer; the
next one gets 401.
"""

import json

from channels.db import database_sync_to_async
from django.conf import settings

from live_single_session.conf import conf
from live_single_session.notices import HEADER, EndNotice, in_language_of
from live_single_session.realtime.asgi import (
    CLOSE_ENDED,
    Application,
    Receive,
    Scope,
    Send,
    accept,
    close,
    required,
)
from live_single_session.realtime.cutoff import Exchange, Websocket
from live_single_session.realtime.watcher import watching
from live_single_session.session_status import status_of

find_status = database_sync_to_async(status_of)


class Guard:
    """Wraps an ASGI app; ``session``, ``user`` and ``cookies`` must be in the scope."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("websocket", "http") or _is_our_own(scope):
            await self.inner(scope, receive, send)
            return
        found = await find_status(
            required(scope, "session"),
            required(scope, "user"),
            scope.get("cookies", {}).get(settings.SESSION_COOKIE_NAME),
        )
        if found.notice is not None:
            await _turn_away(scope, receive, send, found.notice)
        elif found.session_id is None:
            await self.inner(scope, receive, send)
        else:
            async with watching(found.session_id, found.user_pk) as ended:
                if ended.done():
                    await _turn_away(scope, receive, send, ended.result())
                else:
                    kind = Websocket if scope["type"] == "websocket" else Exchange
                    await kind(scope, receive, send, ended).run(self.inner)


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


def _is_our_own(scope: Scope) -> bool:
    """Tell whether this is the package's own websocket, which sends its notice and closes."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return bool(scope["type"] == "websocket" and path == conf.WEBSOCKET_PATH)
