"""The request that is being served, and what has been noted of it while it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from django.http import HttpRequest

_request: ContextVar[HttpRequest | None] = ContextVar("live_single_session", default=None)


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


@dataclass
class Started:
    """A session that a request has started: its id, its key, and whether it is committed."""

    id: str
    key: str | None = field(repr=False)
    committed: bool = False


def note_start(request: HttpRequest, started: Started) -> None:
    """Remember the session that this request has started."""
    request._live_single_session_started = started  # type: ignore[attr-defined]


def started_in(request: HttpRequest) -> Started | None:
    """Return the session that this request has started, if any."""
    return getattr(request, "_live_single_session_started", None)


@dataclass(frozen=True)
class Bearer:
    """Who is behind a request that is signed in by other means than a session's cookie."""

    session_id: UUID
    user_pk: object


def note_bearer(request: HttpRequest, bearer: Bearer) -> None:
    """Remember the session that a request has shown to belong to."""
    request._live_single_session_bearer = bearer  # type: ignore[attr-defined]


def bearer_of(request: HttpRequest) -> Bearer | None:
    """Return what ``note_bearer()`` noted of this request, if anything."""
    return getattr(request, "_live_single_session_bearer", None)


def note_sign_out(request: HttpRequest) -> None:
    """Remember that this request has signed its browser out, which needn't be told why."""
    request._live_single_session_signed_out = True  # type: ignore[attr-defined]


def has_signed_out(request: HttpRequest) -> bool:
    """Tell whether ``note_sign_out()`` noted this request."""
    return getattr(request, "_live_single_session_signed_out", False)


def note_flush(request: HttpRequest) -> None:
    """Remember that the session of this request was flushed."""
    request._live_single_session_flushed = True  # type: ignore[attr-defined]


def has_flushed(request: HttpRequest) -> bool:
    """Tell whether ``note_flush()`` noted this request."""
    return getattr(request, "_live_single_session_flushed", False)


def note_take_over(request: HttpRequest, serial: int) -> None:
    """Remember that the user has chosen to sign in here, and what that was known to end.

    Args:
        request: the request that is about to sign in.
        serial: the one that the login was going to have when the user was asked.
    """
    request._live_single_session_take_over = serial  # type: ignore[attr-defined]


def take_over_in(request: HttpRequest | None) -> int | None:
    """Return the serial that ``note_take_over()`` noted, if the user has chosen."""
    return getattr(request, "_live_single_session_take_over", None)
