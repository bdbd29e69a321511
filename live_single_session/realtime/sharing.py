"""Find sessions that two browsers use at once, where ``ON_SHARED`` asks for it.

The script says a random name of its browser when it is asked. Names that differ, of one
session and one origin, are only a suspicion: a page may be left over from before the storage
was cleared, and a proxy may hold dead connections. So all its websockets are asked, in all
processes, and again ten seconds later. Two names that answer both times are two browsers.
"""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.models import as_uuid
from live_single_session.realtime import messages
from live_single_session.realtime.asgi import Scope, Send
from live_single_session.realtime.lookup import in_place, place_of
from live_single_session.realtime.peers import Peer, Round
from live_single_session.realtime.push import group_of
from live_single_session.registry import shared

logger = logging.getLogger("live_single_session")

ANSWER_SECONDS = 5.0  # that a browser has for an answer
PAUSE_SECONDS = 10.0  # between two times that it is asked
MOST_TIMES = 4  # that a browser is asked which may be busy

HELLO = "live_single_session.browser"  # a browser has come; it is called so
CHECK = "live_single_session.check"  # which browsers answer?
ANSWER = "live_single_session.answer"  # this one does


def asked(
    scope: Scope, send: Send, session_id: UUID, user_pk: object
) -> AbstractAsyncContextManager[Peer | None]:
    """Ask a websocket for its browser, as long as the context lasts; None: nobody asks.

    Args:
        scope: of the websocket.
        send: sends to it.
        session_id: the ``UserSession.id``.
        user_pk: the primary key of its user.
    """
    origin = dict(scope["headers"]).get(b"origin")
    if conf.ON_SHARED == policy.IGNORE or origin is None:
        return nullcontext()
    return _asked(scope, send, session_id, user_pk, origin.decode("latin1"))


@asynccontextmanager
async def _asked(
    scope: Scope, send: Send, session_id: UUID, user_pk: object, origin: str
) -> AsyncIterator[Peer]:
    sharing = of_this_loop()
    place = await place_of(scope.get("tenant"))
    group = group_of(user_pk, place.using)
    peer = Peer(send, session_id, origin, place, group)
    peer.on_name, peer.on_answer = sharing.greet, sharing.answer
    sharing.peers.setdefault(session_id, set()).add(peer)
    try:
        yield peer
    finally:
        sharing.peers[session_id].discard(peer)
        if not sharing.peers[session_id]:
            del sharing.peers[session_id]


_sharings: WeakKeyDictionary[asyncio.AbstractEventLoop, "Sharing"] = WeakKeyDictionary()


def of_this_loop() -> "Sharing":
    """Return what the running event loop knows."""
    loop = asyncio.get_running_loop()
    if loop not in _sharings:
        _sharings[loop] = Sharing()
    return _sharings[loop]


class Sharing:
    """What one process and event loop knows of the browsers of its sessions."""

    def __init__(self) -> None:
        self.peers: dict[UUID, set[Peer]] = {}
        self._rounds: dict[str, Round] = {}
        # How many browsers have come to a session that is being looked into.
        self._suspicions: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    def greet(self, peer: Peer) -> None:
        """A browser has said its name: compare it with the others of its session."""
        messages.send_soon(peer.group, self._message(HELLO, peer, name=peer.name))
        self._compare(peer.session_id, peer.origin, peer.name)

    def answer(self, peer: Peer) -> None:
        """A browser has answered that it is there."""
        for each in self._rounds.values():
            if peer.name and peer.answers >= each.expected.get(peer, peer.answers + 1):
                each.add(peer.name)

    def hear(self, message: messages.Message) -> None:
        """Take in what another process says."""
        session_id = as_uuid(message.get("session"))
        origin, name, nonce = (str(message.get(key)) for key in ("origin", "name", "nonce"))
        if message["type"] == ANSWER and nonce in self._rounds:
            self._rounds[nonce].add(name)
        elif session_id is None or session_id not in self.peers:
            return
        elif message["type"] == HELLO:
            self._compare(session_id, origin, name)
        elif message["type"] == CHECK:
            peer = next(iter(self.peers[session_id]))

            def tell(name: str) -> None:
                answer = self._message(ANSWER, peer, name=name, nonce=nonce)
                messages.send_soon(peer.group, answer)

            self._start(self._ask(session_id, origin, nonce, tell))

    def _message(self, kind: str, peer: Peer, **more: Any) -> messages.Message:
        session = {"session": str(peer.session_id), "origin": peer.origin}
        return {"type": kind, **session, **more}

    def _compare(self, session_id: UUID, origin: str, name: str | None) -> None:
        """Begin to ask if a browser of this process is called otherwise."""
        others = [p for p in self._of(session_id, origin) if p.name != name]
        if others and self._suspicions[session_id] == 0:
            self._start(self._look_into(others[0]))
        if others:
            self._suspicions[session_id] += 1

    async def _look_into(self, peer: Peer) -> None:
        """Ask the browsers of a session, and again if another one has come meanwhile."""
        while seen := self._suspicions[peer.session_id]:
            await self._ask_twice(peer)
            if self._suspicions[peer.session_id] == seen:
                del self._suspicions[peer.session_id]

    async def _ask_twice(self, peer: Peer) -> None:
        """Find out whether browsers of more than one name answer, two times running."""
        before: set[str] = set()
        for _ in range(MOST_TIMES):
            names = await self._ask_everywhere(peer)
            if len(names & before) > 1:
                await self._found(peer)
                break
            before = names
            if len(names | {p.name for p in self._of(peer.session_id, peer.origin)}) < 2:
                break
            await asyncio.sleep(PAUSE_SECONDS)

    async def _found(self, peer: Peer) -> None:
        if conf.ON_SHARED == policy.IGNORE:
            return
        try:
            await in_place(peer.place, shared.note, peer.session_id)
        except Exception:
            logger.exception("That session %s is shared could not be noted", peer.session_id)

    async def _ask_everywhere(self, peer: Peer) -> set[str]:
        nonce = uuid.uuid4().hex
        messages.send_soon(peer.group, self._message(CHECK, peer, nonce=nonce))
        return await self._ask(peer.session_id, peer.origin, nonce)

    async def _ask(
        self,
        session_id: UUID,
        origin: str,
        nonce: str,
        tell: Callable[[str], None] | None = None,
    ) -> set[str]:
        """Ask the browsers of this process; return who has answered, here or elsewhere."""
        asking = self._rounds[nonce] = Round(tell)
        try:
            for peer in self._of(session_id, origin):
                asking.expected[peer] = peer.checks + 1
                self._start(peer.check())
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await asking.is_enough.wait()
            return set(asking.names)
        finally:
            del self._rounds[nonce]

    def _of(self, session_id: UUID, origin: str) -> list[Peer]:
        """Return the websockets of one session and origin whose browser has a name."""
        peers = self.peers.get(session_id, ())
        return [peer for peer in peers if peer.origin == origin and peer.name]

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of a websocket that is gone


def _hear(message: messages.Message) -> None:
    of_this_loop().hear(message)


for _kind in (HELLO, CHECK, ANSWER):
    messages.receivers[_kind] = _hear
