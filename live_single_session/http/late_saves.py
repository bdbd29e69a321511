"""A request whose session ends while it runs keeps its view's own answer."""

from types import SimpleNamespace
from typing import Any
from weakref import ref

from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from live_single_session.django_internals import skip_session_cookie
from live_single_session.registry import engine
from live_single_session.request_state import state_of


class LateSaves:
    """Lets a request whose session ends while it runs keep its view's own answer.

    Where the view saves the session itself, it would fail; where Django does, it would
    answer a bare 400 instead. What the request wrote to the session is dropped. No cookie
    is set but by a login: somebody may have signed in again in that browser meanwhile. If
    nobody has, its cookie is dead, and the next request is told.
    """

    response: "ref[HttpResponseBase] | None" = None

    # It refers weakly to what refers to it: a request is to be freed with its answer.

    def __init__(self, request: HttpRequest) -> None:
        self._request = ref(request)
        self._session = ref(request.session)
        for name in ("save", "asave", "flush", "aflush"):
            setattr(request.session, name, getattr(self, name))

    def save(self, must_create: bool = False) -> None:
        try:
            self._own("save")(must_create)
        except UpdateError as error:
            self._drop(error, must_create)

    async def asave(self, must_create: bool = False) -> None:
        try:
            await self._own("asave")(must_create)
        except UpdateError as error:
            self._drop(error, must_create)

    def flush(self) -> None:
        self._own("flush")()
        self._note_flush()

    async def aflush(self) -> None:
        await self._own("aflush")()
        self._note_flush()

    def _own(self, name: str) -> Any:
        """Return a method of the session as its class has it."""
        session = self._session()
        return getattr(type(session), name).__get__(session)

    def _drop(self, error: UpdateError, must_create: bool) -> None:
        if must_create or not engine.is_gone(error):
            raise error
        request = self._request()
        response = None if self.response is None else self.response()
        if request is not None and response is not None and state_of(request).started is None:
            skip_session_cookie(response)

    def _note_flush(self) -> None:
        if (request := self._request()) is not None:
            state_of(request).flushed = True


def suppress_late_saves(request: HttpRequest) -> Any:
    """Return what wants to know the response to this request, once there is one."""
    return LateSaves(request) if hasattr(request, "session") else SimpleNamespace()
