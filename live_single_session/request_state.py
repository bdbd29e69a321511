"""The current request, and one object with all that we note about a request."""

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
    """Who is behind a request that is signed in by other means than a session's cookie."""

    session_id: UUID
    user_pk: object


@dataclass
class RequestState:
    """What is noted about a request while it is served.

    Attributes:
        refused: the login that it has tried, and that the session limit has refused.
        bearer: who is behind it, where a token signs it in.
        take_over: where the user has chosen to sign in here and end other sessions: the
            serial that the login was going to have when the user was asked.
        only_asks: whether it is no use of its session, which it leaves as it is.
    """

    refused: LoginRefused | None = None
    bearer: Bearer | None = None
    take_over: int | None = None
    only_asks: bool = False


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
    """Return what is noted about a request, Django's or Django REST framework's.

    Where there is no request, nothing is noted, and what is noted is lost.
    """
    state = getattr(request, "_live_single_session", None)
    if state is None:
        state = RequestState()
        if request is not None:
            django_request(request)._live_single_session = state
    return state
