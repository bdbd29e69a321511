"""The current request, and one object with all that we note about a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from live_single_session.exceptions import LoginRefused

_request: ContextVar[HttpRequest | None] = ContextVar("live_single_session", default=None)


@dataclass
class Started:
    """A session that a request has started: its id, its key, and whether it is committed."""

    id: str
    key: str | None = field(repr=False)
    committed: bool = False


@dataclass(frozen=True)
class Bearer:
    """Who is behind a request that is signed in by other means than a session's cookie."""

    session_id: UUID
    user_pk: object


@dataclass
class RequestState:
    """What is noted about a request while it is served.

    Attributes:
        started: the session that it has started, if any.
        refused: the login that it has tried, and that the session limit has refused.
        bearer: who is behind it, where a token signs it in.
        signed_out: whether it has signed its browser out, which needs no telling then.
        flushed: whether its session was flushed.
        take_over: where the user has chosen to sign in here and end other sessions: the
            serial that the login was going to have when the user was asked.
        layer_was_silent: whether it has waited for a silent channel layer; once is enough.
    """

    started: Started | None = None
    refused: LoginRefused | None = None
    bearer: Bearer | None = None
    signed_out: bool = False
    flushed: bool = False
    take_over: int | None = None
    layer_was_silent: bool = False


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
