"""ASGI: its types, what a scope must hold, and how a websocket is accepted and closed."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE_ENDED = 4001
CLOSE_NOT_SIGNED_IN = 4003
CLOSE_TALKATIVE = 4008


def required(scope: Scope, key: str) -> Any:
    """Return what a middleware has put into the scope.

    Raises:
        ValueError: no middleware has done so; the message says which one must be above.
    """
    if key not in scope:
        raise ValueError(
            f"The scope has no {key!r}: SingleSessionMiddlewareStack must be above, or what "
            "puts cookies, a session and a user into the scope."
        )
    return scope[key]


async def accept(scope: Scope, send: Send) -> None:
    """Accept a websocket, even if it is closed next.

    A close code that is sent before acceptance reaches the browser as a bare 1006. So does
    any code when the client offered subprotocols and none was chosen.
    """
    offered = scope.get("subprotocols") or [None]
    await say(send, {"type": "websocket.accept", "subprotocol": offered[0]})


async def close(send: Send, code: int) -> None:
    """Close a websocket that has been accepted."""
    # Let earlier messages be written first. Autobahn may drop the connection at once, with
    # what isn't written yet: it rounds the second that it waits for the client's answer.
    await asyncio.sleep(0)
    await say(send, {"type": "websocket.close", "code": code})


async def say(send: Send, message: Message) -> None:
    """Send to a client that may have left; then servers raise, each its own exception."""
    try:
        await send(message)
    except OSError:  # as the specification has it
        pass
    except RuntimeError as error:
        if type(error).__name__ != "Disconnected":  # Autobahn's, under daphne
            raise
