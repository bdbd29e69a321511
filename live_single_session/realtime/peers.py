"""The websockets that are asked for their browser, and who of them has answered."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from live_single_session.realtime.asgi import Send, say
from live_single_session.realtime.lookup import Place

LONGEST = 256  # characters, of a frame that is an answer


class Peer:
    """One websocket, which is asked now and then which browser it is of.

    Attributes:
        name: a digest of what it has said.
        checks: how often it was asked.
        answers: how often it has answered.
        on_name: called when it has said another name.
        on_answer: called when it has answered.
    """

    on_name: Callable[["Peer"], None]
    on_answer: Callable[["Peer"], None]

    def __init__(
        self, send: Send, session_id: UUID, origin: str, place: Place, group: str
    ) -> None:
        self._send = send
        self.session_id, self.origin = session_id, origin
        self.place, self.group = place, group
        self.name: str | None = None
        self.checks = self.answers = self._hellos = 0

    async def check(self) -> None:
        """Ask it whether it is there, and for its name."""
        self.checks += 1
        text = json.dumps({"type": "session.check"})
        await say(self._send, {"type": "websocket.send", "text": text})

    def hears(self, text: Any) -> bool:
        """Take in a frame of the client's; tell whether it answers what it was asked."""
        frame = _frame_of(text)
        kind, name = frame.get("type"), frame.get("browser")
        if kind == "session.hello" and isinstance(name, str) and self._hellos < self.checks:
            self._hellos += 1
            said = hashlib.sha256(name.encode()).hexdigest()[:32]
            if said != self.name:
                self.name = said
                self.on_name(self)
            return True
        if kind == "session.here" and self.answers < self.checks:
            self.answers += 1
            self.on_answer(self)
            return True
        return False


def _frame_of(text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > LONGEST:
        return {}
    try:
        frame = json.loads(text)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}


class Round:
    """One time that the browsers of a session are asked: who has answered.

    Args:
        tell: called with the name of each.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self.names: set[str] = set()
        self.expected: dict[Peer, int] = {}
        self.is_enough = asyncio.Event()

    def add(self, name: str) -> None:
        """A browser of this name has answered."""
        if name not in self.names and self._tell is not None:
            self._tell(name)
        self.names.add(name)
        if len(self.names) > 1:
            self.is_enough.set()
