"""A sign-in that waits for its user's choice (``ON_LIMIT = "ask"``).

It is stored in the session of the browser that signs in, which stays anonymous until the
choice is made. It is bound to the user's password, to the sessions that the user is shown,
and to a time. It can be used once: its login must get the serial that the refused one would
have got. So a copy of it, even of a signed cookie, can't sign in a second time.
"""

import time
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
    login,
)
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from live_single_session import policy, registry
from live_single_session.conf import conf
from live_single_session.exceptions import LoginRefused
from live_single_session.http.login_page import REFUSED_AT, LoginPages, login_pages_of
from live_single_session.models import SESSION_ID_KEY, UserSession
from live_single_session.registry import limits
from live_single_session.request_state import state_of
from live_single_session.site_urls import with_query

KEY = "_live_single_session_pending"
SECONDS = 120
TAKE_OVER = "HTTP_SESSION_TAKE_OVER"
MOST_DIGITS = 18  # of what is in this header

_NOT_CARRIED = {SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_ID_KEY, KEY}


@dataclass(frozen=True)
class Pending:
    """A sign-in with the right password that the session limit has refused.

    Attributes:
        user_pk: the user's primary key, as sessions store it.
        backend: the authentication backend that let the user in.
        auth_hash: Django's session hash of that password.
        slot: the slot whose limit is reached.
        limit: that limit.
        serial: the serial that the refused login would have got.
        until: when it expires, in seconds since the epoch.
        login_page: where to sign in again.
        next: where to go afterwards; checked.
        next_field: the name of the login page's field for that.
        data: the session's other data: a shopping cart, a second factor.
    """

    user_pk: str
    backend: str
    auth_hash: str = field(repr=False)
    slot: str
    limit: int
    serial: int
    until: float
    login_page: str
    next: str
    next_field: str
    data: dict[str, Any] = field(repr=False)

    def pack(self) -> dict[str, Any]:
        """Return what the browser's session has to hold."""
        return {KEY: asdict(self)}

    @property
    def seconds_left(self) -> int:
        """For how long the choice can still be made; 0 when it is too late."""
        left = self.until - time.time()
        return int(left) if 0 < left <= SECONDS else 0

    def back(self) -> str:
        """Return the URL of the login page, for another try."""
        return with_query(self.login_page, {self.next_field: self.next})

    def user(self) -> Any:
        """Return the user if the sign-in is still valid; else None."""
        if not self.seconds_left or self.backend not in settings.AUTHENTICATION_BACKENDS:
            return None
        try:
            user_pk = get_user_model()._meta.pk.to_python(self.user_pk)
        except ValidationError:
            return None
        user: Any = load_backend(self.backend).get_user(user_pk)
        if user is None or not constant_time_compare(_auth_hash(user), self.auth_hash):
            return None
        return user

    def rivals(self, user: Any) -> list[UserSession]:
        """Return the user's live sessions in the slot, in the order of eviction."""
        rows = [row for row in registry.live_of(user) if row.slot == self.slot]
        return policy.oldest_first(rows, by_use=limits.by_use())

    def giving_way(self, rivals: list[UserSession]) -> list[UserSession]:
        """Return the sessions that the login would end."""
        return policy.over_limit(rivals, self.limit, by_use=limits.by_use())

    def sign_in(
        self, request: HttpRequest, user: Any, chosen: frozenset[UUID] | None = None
    ) -> None:
        """Sign the user in, and end what has to give way.

        Args:
            request: the request that brings the choice.
            user: who signs in.
            chosen: the sessions that the user has picked to end; None: those that
                would give way first.

        Raises:
            LoginRefused: the choice was used already, or there was another login since.
        """
        request.session.update(self.data)
        state = state_of(request)
        state.take_over, state.chosen = self.serial, chosen
        login(request, user, backend=self.backend)


def kept_data(request: HttpRequest, refused: LoginRefused) -> dict[str, Any]:
    """Return what stays in the browser's session when a refused login is undone."""
    session = request.session
    kept = {REFUSED_AT: session[REFUSED_AT]} if REFUSED_AT in session else {}
    if not refused.asks:
        return kept
    return of_login(request, refused, login_pages_of(request)).pack()


def note_choice(request: HttpRequest) -> None:
    """Note that a client without cookies signs in again, with its user's choice in a header."""
    serial = request.META.get(TAKE_OVER, "")
    if conf.ON_LIMIT == policy.ASK and serial.isdecimal() and len(serial) <= MOST_DIGITS:
        state_of(request).take_over = int(serial)


def forget_refusals(session: SessionBase) -> None:
    """Remove what earlier refusals have left in a session that is now signed in."""
    for key in (KEY, REFUSED_AT):
        session.pop(key, None)


def of_login(request: HttpRequest, refused: LoginRefused, pages: LoginPages) -> Pending:
    """Return the pending login of a request whose session is still signed in.

    Args:
        request: the request that signed in.
        refused: the refusal of that login.
        pages: the login page of the request, and where it wants to go.
    """
    data = dict(request.session.items())
    return Pending(
        user_pk=data[SESSION_KEY],
        backend=data[BACKEND_SESSION_KEY],
        auth_hash=_auth_hash(refused.user),
        slot=refused.terms.slot,
        limit=refused.terms.limit or 1,
        serial=refused.serial,
        until=time.time() + SECONDS,
        login_page=pages.login_page,
        next=pages.next or pages.default_next,
        next_field=pages.next_field,
        data={key: value for key, value in data.items() if key not in _NOT_CARRIED},
    )


def of_session(session: SessionBase) -> Pending | None:
    """Return the pending login of a browser's session, perhaps expired; None: none."""
    packed = session.get(KEY)
    try:
        return None if packed is None else Pending(**packed)
    except TypeError:  # packed by another version of this package
        return None


def drop(session: SessionBase) -> None:
    """Forget the pending login of a browser's session."""
    session.pop(KEY, None)


def _auth_hash(user: Any) -> str:
    has_hash = hasattr(user, "get_session_auth_hash")
    return user.get_session_auth_hash() if has_hash else ""
