"""Follow the session of a websocket, whose own app may sign somebody in or out.

``channels.auth.login()`` in a consumer makes the session of an open websocket another one: that
is watched from then on, and the end of the one before is no reason to close the socket.
"""

import asyncio
from typing import Any
from uuid import UUID

from live_single_session.notices import EndNotice
from live_single_session.realtime.asgi import Scope, required
from live_single_session.realtime.waiter import Ended
from live_single_session.realtime.watcher import watching
from live_single_session.registry import engine


class following:  # noqa: N801 - a context manager, with less to keep than a generator
    """Watch the sessions that the app of a websocket signs in to, as long as this lasts.

    As a context it gives a future of the notice of the session that the websocket belongs to
    by then.

    Args:
        scope: the websocket's.
        first: the end of the session that it came with, if it has one.
    """

    __slots__ = (
        "_first",
        "_first_id",
        "_is_open",
        "_loop",
        "_session",
        "_tasks",
        "_tenant",
        "ended",
    )

    def __init__(self, scope: Scope, first: Ended | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._session: Any = required(scope, "session")
        self._tenant = scope.get("tenant")
        self._first_id = getattr(self._session, "row_id", None)
        self._tasks: list[asyncio.Task[None]] = []
        self.ended: Ended = self._loop.create_future()
        self._first = first
        self._is_open = True
        if engine.is_gated(self._session):
            self._session.on_sign_in = self._signed_in

    def __enter__(self) -> Ended:
        if self._first is not None:
            self._first.add_done_callback(self._first_has_ended)
        return self.ended

    def __exit__(self, *error: object) -> None:
        self._is_open = False
        for task in self._tasks:
            task.cancel()

    def _first_has_ended(self, ended: Ended) -> None:
        if not ended.cancelled():
            self._end(self._first_id, ended.result())

    def _signed_in(self, session_id: UUID, user_pk: object) -> None:
        """Begin to watch; called in the thread that has committed the sign-in."""
        self._loop.call_soon_threadsafe(self._begin, session_id, user_pk)

    def _begin(self, session_id: UUID, user_pk: object) -> None:
        if self._is_open:
            task = self._loop.create_task(self._watch(session_id, user_pk))
            self._tasks.append(task)
            task.add_done_callback(self._tasks.remove)

    async def _watch(self, session_id: UUID, user_pk: object) -> None:
        async with watching(session_id, user_pk, self._tenant) as ended:
            await asyncio.wait({ended})
            self._end(session_id, ended.result())

    def _end(self, session_id: UUID | None, notice: EndNotice) -> None:
        has_begun = getattr(self._session, "has_begun", False)
        is_in_another = has_begun and self._session.row_id not in (None, session_id)
        if not (is_in_another or self.ended.done()):
            self.ended.set_result(notice)
