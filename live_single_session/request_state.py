"""The current request, and ``RequestState``: all that the package records about a request."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from live_single_session.exceptions import LoginRefused

_request: ContextVar[HttpRequest | None] = ContextVar("live_single_session", default=None)


@dataclass(frozen=True)
class Bearer:
    """The session and the user of a request that a token signs in."""

    session_id: UUID
    user_pk: object


@dataclass
class RequestState:
    """What is recorded about a request while it is served.

    Attributes:
        refused: the login that the session limit has refused in it, if any.
        bearer: its session and user, where a token signs it in.
        take_over: where the user has chosen to sign in here and end other sessions: the
            serial that the login was going to have when the user was asked.
        chosen: the sessions that the user has picked to end then, if it was to pick.
        only_asks: whether it is no use of its session, which it leaves as it is.
        device: the name that an app gave its device in a body that Django hasn't read.
        loop: the event loop that serves it, if one does.
        unsent: the messages to tabs that it has still to send in that loop, once it had any.
        sending: the task that sends them, once there are any.
    """

    refused: LoginRefused | None = None
    bearer: Bearer | None = None
    take_over: int | None = None
    chosen: frozenset[UUID] | None = None
    only_asks: bool = False
    device: str = ""
    loop: asyncio.AbstractEventLoop | None = None
    unsent: deque[tuple[Any, str, dict[str, Any]]] | None = None
    sending: asyncio.Task[None] | None = None


@contextmanager
def serving(request: HttpRequest) -> Iterator[None]:
    """Make this the current request for as long as the context lasts."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_request() -> HttpRequest | None:
    """Return the request that the caller runs in; None in a command or a task."""
    return _request.get()


def django_request(request: Any) -> Any:
    """Return Django's own request, where Django REST framework has wrapped it."""
    return getattr(request, "_request", request)


def state_of(request: Any) -> RequestState:
    """Return what is recorded about a request, Django's or Django REST framework's.

    Without a request it is a new object, which nobody keeps.
    """
    state = getattr(request, "_live_single_session", None)
    if state is None:
        state = RequestState()
        if request is not None:
            django_request(request)._live_single_session = state
    return state
