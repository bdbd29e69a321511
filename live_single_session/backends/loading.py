"""How a session engine loads a session: only if its key opens it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY, get_user_model
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import SESSION_ID_KEY, as_uuid
from live_single_session.registry import gate, installation, threads

SessionData = dict[str, Any]


class Loading:
    """Loads a session if its key opens it; else the session is empty.

    Attributes:
        row_id: the id of the live session that this is.
        presented_key: the key that it was loaded with.
        stored_key: the key under which its data is stored.
        left: the sessions that Django has flushed before a sign-in: their ids and users.
        ended_session_id: the id of the ended session that the key belonged to.
        known_expiry: when it expires according to its row, if that was read.
        keeps_cookie: whether the browser's cookie is neither set nor deleted, since it may
            be a newer one by now.
        has_begun: whether this request has signed in.
        signed_out: whether this request has signed out.
        dropped: whether a save was left out, since the session has ended meanwhile.
        on_drop: called when that happens.
        on_sign_in: called when a sign-in is committed, with the ids of session and user.
    """

    keeps_rows = False

    row_id: UUID | None = None
    presented_key: str | None = None
    stored_key: str | None = None
    left: tuple[tuple[UUID, Any], ...] = ()
    ended_session_id: UUID | None = None
    known_expiry: datetime | None = None
    keeps_cookie = False
    has_begun = False
    signed_out = False
    dropped = False
    on_drop: Callable[[], None] | None = None
    on_sign_in: Callable[[UUID, object], None] | None = None

    _is_internal = False  # while the engine calls its own methods
    _is_lost = False  # nothing was found under the key, or nothing that it opens
    _is_committed = True  # whether this request's changes in the registry are
    _before: tuple[str | None, UUID | None] = (None, None)  # the last change: key and row
    _loaded: SessionData | None = None  # what is stored, as it was loaded
    _written: SessionData | None = None  # what this request has stored already

    # Of Django's SessionBase.
    session_key: str | None
    modified: bool
    _session_key: str | None
    _session: SessionData
    _session_cache: SessionData
    _get_session: Callable[..., SessionData]
    _aget_session: Callable[..., Awaitable[SessionData]]

    @sensitive_variables()
    def load(self) -> SessionData:
        """Load the session; one that the key doesn't open is empty."""
        key = self.session_key
        return self._let_in(key, self.peek())

    async def aload(self) -> SessionData:
        """See ``load()``: the registry's query needs a thread, the engine may share it."""
        return await sync_to_async(self.load)()

    @sensitive_variables()
    def peek(self) -> SessionData:
        """Load what the engine has stored, whether or not the key opens it."""
        with self._internally():
            data: SessionData = super().load()  # type: ignore[misc]
        return data

    @sensitive_variables()
    def _let_in(self, key: str | None, data: SessionData) -> SessionData:
        self.presented_key, self.stored_key = key, self.session_key
        self._is_lost = self.session_key != key  # some engines put a new session in its place
        if key is None or SESSION_KEY not in data:
            return data
        if self._is_trusted(key, data):
            verdict = gate.Verdict(opens=True, row_id=as_uuid(data[SESSION_ID_KEY]))
        else:
            verdict = threads.outside_loop(self._asked, key, data)
        return data if verdict is None else self._obey(verdict, data)

    def _is_trusted(self, key: str | None, data: SessionData) -> bool:
        """Tell whether a key opens a session for certain; without I/O."""
        return False

    @sensitive_variables()
    def _asked(self, key: str, data: SessionData) -> gate.Verdict | None:
        """Ask the registry whether a key opens a session; None if it has no tables."""
        return self._judge(key, data) if installation.is_installed() else None

    @sensitive_variables()
    def _judge(self, key: str, data: SessionData) -> gate.Verdict:
        return gate.judge(key, data)

    def _obey(self, verdict: gate.Verdict, data: SessionData) -> SessionData:
        if not verdict.opens:
            self.ended_session_id = verdict.ended_id
            self.keeps_cookie = verdict.is_replaced
            self._session_key = self.stored_key = None
            self._is_lost = True
            return {}
        self.row_id = verdict.row_id
        self.known_expiry = verdict.expires_at
        if self.row_id is None:
            data.pop(SESSION_ID_KEY, None)  # of an earlier installation
        else:
            data[SESSION_ID_KEY] = str(self.row_id)
        self._loaded = dict(data)
        return data

    @property
    def is_dead(self) -> bool:
        """Whether its key opens nothing, and the client is to be told why."""
        return self._is_lost and not (self.keeps_cookie or self.signed_out or self.has_begun)

    @property
    def is_unregistered(self) -> bool:
        """Whether a user is signed in to it, and it has no row yet: it was there before."""
        return self._loaded is not None and self.row_id is None and self.stored_key is not None

    @property
    def has_new_key(self) -> bool:
        """Whether its data is to be stored under another key."""
        return self.session_key != self.stored_key

    @property
    def is_uncommitted(self) -> bool:
        """Whether this request's changes in the registry can still be rolled back."""
        return not self._is_committed

    def _asking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what asks the registry. Code that Django lets use this engine may do so."""
        if self.keeps_rows:
            return function(*args)
        return threads.outside_loop(function, *args)

    @sensitive_variables()
    def forget(self, session_key: str) -> None:
        """Delete the data that is stored under a key; the registry stays as it is."""
        with self._internally():
            super().delete(session_key)  # type: ignore[misc]

    @contextmanager
    def _internally(self) -> Iterator[None]:
        before, self._is_internal = self._is_internal, True
        try:
            yield
        finally:
            self._is_internal = before


def user_pk_in(data: SessionData) -> Any:
    """Return the primary key of the user who is signed in to this data."""
    return get_user_model()._meta.pk.to_python(data[SESSION_KEY])
