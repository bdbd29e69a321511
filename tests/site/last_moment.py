"""The test site, where a notice is always said in the worst moment that daphne knows.

Autobahn waits a second for the answer to a close, but rounds to whole seconds: who is closed
just before the next one has no time at all. It is then dropped in the very turn of the event
loop in which it was closed, and Twisted drops what it has not written yet.
"""

import asyncio
from typing import Any

from twisted.internet import reactor

from tests.asgi import application as site


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    async def send_in_the_worst_moment(message: dict[str, Any]) -> None:
        if "session.ended" in message.get("text", ""):
            await _end_of_a_second()
        await send(message)
        if message["type"] == "websocket.close":
            _block_until_the_second_is_over()

    await site(scope, receive, send_in_the_worst_moment)


async def _end_of_a_second() -> None:
    """Return at the end of a second, in a turn of the loop in which Twisted has timers due."""
    await asyncio.sleep((0.99 - _fraction()) % 1)
    reactor.callLater(0, int)  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while _fraction() < 0.999:
        pass


def _block_until_the_second_is_over() -> None:
    while _fraction() > 0.5:
        pass


def _fraction() -> float:
    return float(reactor.seconds() % 1)  # type: ignore[attr-defined]
