"""The fence in front of a session engine: only the current key of a live session opens it.

It stands in front of all that loads a session or changes its key, whoever asks: views,
Channels, Django REST framework, a shell. What a load returns counts if the registry has a
live row whose current key this is (or none that knows the key: a session from before the
installation). A new key is recorded with the save that stores it, under the user's lock.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, UpdateError
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.errors import is_gone
from live_single_session.django_internals import GET_USER, LOGIN, flushed_by
from live_single_session.models import (
    INSTALLATION_KEY,
    SESSION_ID_KEY,
    EndReason,
    UserSession,
)
from live_single_session.registry import (
    db,
    ending,
    engine,
    installation,
    keys,
    lifecycle,
    logins,
    records,
)
from live_single_session.request_state import current_request
from live_single_session.session_user import is_of_user_model, user_of

SessionData = dict[str, Any]


class Fence:
    """A mixin for session engines; it costs one query for each load of a signed-in session.

    Put it in front of any engine's ``SessionStore``::

        class SessionStore(Fence, some_package.SessionStore):
            pass

    Attributes:
        row_id: the live session that this is.
        presented_key: the key that it was loaded with.
        stored_key: the key under which its data is stored.
        left: ids of sessions, and of their users, that Django has flushed to sign in.
        ended_session_id: the ended session that a load came upon.
        known_expiry: when it expires, as the registry knows it, where it had to be asked.
        keeps_cookie: whether the browser's cookie must not be touched: it may have a newer
            one by now.
        has_begun: whether this request has signed in to it.
        signed_out: whether this request has signed out of it.
        dropped: whether something was not saved, since the session has ended meanwhile.
        on_drop: called when that happens.
    """

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

    _is_internal = False  # while the engine itself runs, which calls its own methods
    _is_committed = True  # what this request has changed in the registry
    _before: tuple[str | None, UUID | None] = (None, None)  # the change: key and row
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

    # Loading

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
        if key is None or SESSION_KEY not in data or not installation.is_installed():
            return data
        return self._obey(self._judge(key, data), data)

    @sensitive_variables()
    def _judge(self, key: str, data: SessionData) -> keys.Verdict:
        return keys.judge(key, data)

    def _obey(self, verdict: keys.Verdict, data: SessionData) -> SessionData:
        if not verdict.opens:
            self.ended_session_id = verdict.ended_id
            self.keeps_cookie = verdict.is_replaced
            self._session_key = self.stored_key = None
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
        """Whether it was loaded with a key that opens nothing, for a reason to be told."""
        nothing_found = self.presented_key is not None and self.stored_key is None
        return nothing_found and not (self.keeps_cookie or self.signed_out or self.has_begun)

    @property
    def is_unregistered(self) -> bool:
        """Whether it was loaded signed in, from before the installation, and has no row yet."""
        return self._loaded is not None and self.row_id is None and self.stored_key is not None

    @property
    def is_uncommitted(self) -> bool:
        """Whether what this request has changed in the registry may be rolled back yet."""
        return not self._is_committed

    # Keys

    def _get_new_session_key(self) -> str:
        return get_random_string(32, VALID_KEY_CHARS)

    async def _aget_new_session_key(self) -> str:
        return self._get_new_session_key()

    def take_new_key(self) -> None:
        """Choose a new key; it is recorded, and the old one invalid, with the next save."""
        self._session_key = self._get_new_session_key()
        self.modified = True

    def cycle_key(self) -> None:
        """Keep the data under a new key, from the next save on."""
        self._session  # noqa: B018 - loads it
        self.take_new_key()

    async def acycle_key(self) -> None:
        """See ``cycle_key()``."""
        await self._aget_session()
        self.take_new_key()

    def create(self) -> None:
        """Create a new session; one that somebody is signed in to only gets a new key."""
        if self._is_internal or SESSION_KEY not in self.__dict__.get("_session_cache", {}):
            super().create()  # type: ignore[misc]
        else:
            self.take_new_key()

    async def acreate(self) -> None:
        """See ``create()``."""
        await sync_to_async(self.create)()

    # Saving

    @sensitive_variables()
    def save(self, must_create: bool = False) -> None:
        """Save the session, and record its key; what has ended meanwhile is not saved."""
        data = self._get_session(no_load=must_create)
        if not self._is_committed:
            self.settle()
        self._notice_another_user(data)
        if self.dropped or (self.keeps_cookie and SESSION_KEY not in data):
            self.drop()
        elif SESSION_KEY not in data or not installation.is_installed():
            self._save_unregistered(must_create)
        elif self.row_id is None:
            self._save_unknown(must_create)
        elif self.session_key != self.stored_key:
            self._save_under_new_key()
        elif data != self._written:
            self._unless_gone(self._update)

    async def asave(self, must_create: bool = False) -> None:
        """See ``save()``."""
        await sync_to_async(self.save)(must_create)

    def drop(self) -> None:
        """Save nothing, and set no cookie: the browser may have a newer one."""
        self.dropped = True
        if self.on_drop is not None:
            self.on_drop()

    def settle(self) -> None:
        """Go back to what was before a change that was rolled back with the view."""
        row = records.live_row(self.row_id)
        # In a site's TestCase nothing is ever committed, and yet it is there.
        if row is not None and keys.is_current(row, self.session_key):
            return
        self._session_key, self.row_id = self._before
        self.stored_key = self._session_key
        self._is_committed = True
        self.has_begun = False
        self.__dict__.pop("_session_cache", None)
        self.drop()

    def _notice_another_user(self, data: SessionData) -> None:
        """Take a user who was put into the session by hand for a sign-in of that user."""
        loaded = self._loaded or {}
        if self.row_id is None or self.has_begun or SESSION_KEY not in data:
            return
        if loaded.get(SESSION_KEY, data[SESSION_KEY]) != data[SESSION_KEY]:
            self.left = (*self.left, (self.row_id, _user_pk(loaded)))
            self.row_id = self._loaded = None

    def _save_unregistered(self, must_create: bool) -> None:
        """Save what the registry doesn't know: an anonymous session, as a rule."""
        old_key = self.stored_key
        if self.session_key is None or must_create:
            super().save(must_create)  # type: ignore[misc]
        elif self.session_key == old_key:
            self._unless_gone(super().save)  # type: ignore[misc]
        else:
            super().save(must_create=True)  # type: ignore[misc]
            if old_key is not None:
                self.forget(old_key)
        self.stored_key = self.session_key

    def _save_unknown(self, must_create: bool) -> None:
        """Save a signed-in session without a row: from before, or signed in to just now."""
        user = None if self._loaded is not None else user_of(self._session_cache)
        if user is None or not is_of_user_model(user):
            self._save_unregistered(must_create)
        else:
            logins.start_session(user, self, current_request())

    @sensitive_variables()
    def _save_under_new_key(self) -> None:
        assert self.row_id and self.stored_key and self.session_key  # noqa: PT018, S101
        user_pk = _user_pk(self._session_cache)
        old_key, new_key = self.stored_key, self.session_key
        self._before = old_key, self.row_id
        key = lifecycle.rotate(self.row_id, user_pk, old_key, new_key, self._insert_changed)
        if key is None:
            self.drop()
        elif key != new_key:
            self._go_on_with(key)

    @sensitive_variables()
    def _go_on_with(self, key: str) -> None:
        """Take over a session that another request was faster to give a new key."""
        stored, mine, loaded = engine.data_of(key), self._session_cache, self._loaded or {}
        if not stored:
            return self.drop()
        changed = {k: v for k, v in mine.items() if k not in loaded or loaded[k] != v}
        kept = {k: v for k, v in stored.items() if k in mine or k not in loaded}
        self._session_key = self.stored_key = key
        self._session_cache, self._loaded = {**kept, **changed}, stored
        if HASH_SESSION_KEY not in changed:
            return self._unless_gone(self._update)
        # A save beside this one would bring the hash of the old password back.
        self.take_new_key()
        return self._save_under_new_key()

    def begin(self, row: UserSession) -> None:
        """Store the session that a sign-in has begun, in the transaction that begins it."""
        self._before = self.stored_key, self.row_id
        self.has_begun = True
        self._name_row(row)
        old_key = self.stored_key
        self._insert_changed()
        if old_key is not None:
            db.on_commit(self.forget, old_key)

    def belongs_to(self, row: UserSession) -> None:
        """Note the row of this session; its next save says so."""
        self._name_row(row)
        self.modified = True

    def _name_row(self, row: UserSession) -> None:
        self.row_id = row.pk
        self._session_cache[SESSION_ID_KEY] = str(row.pk)
        self._session_cache[INSTALLATION_KEY] = installation.name_here()

    def _insert_changed(self) -> None:
        """Store the data under a key that the registry's transaction is about to record."""
        self._insert()
        self.stored_key = self.session_key
        self._note_written()
        self._confirm_on_commit()

    def _note_written(self) -> None:
        self._written = copy.deepcopy(self._session_cache)

    def _confirm_on_commit(self) -> None:
        self._is_committed = False
        db.on_commit(self._confirm)

    def _confirm(self) -> None:
        self._is_committed = True

    def _insert(self) -> None:
        super().save(must_create=True)  # type: ignore[misc]

    def _update(self) -> None:
        super().save()  # type: ignore[misc]

    def _unless_gone(self, save: Callable[[], None]) -> None:
        try:
            save()
        except UpdateError as error:
            if not is_gone(error):
                raise
            self.drop()

    # Ending

    def flush(self) -> None:
        """Delete the session; unless Django does it to refuse or replace it, a sign-out."""
        self._flush(flushed_by())

    async def aflush(self) -> None:
        """See ``flush()``."""
        await sync_to_async(self._flush)(flushed_by())

    @sensitive_variables()
    def _flush(self, by: str | None) -> None:
        data = self._session
        row_id, old_key = self.row_id, self.stored_key
        if row_id is not None:
            user_pk = _user_pk(data)
            if by == LOGIN:
                self.left = (*self.left, (row_id, user_pk))
            elif by is None:
                ending.end_where(user_pk, EndReason.LOGGED_OUT, Q(pk=row_id))
                self.signed_out = True
        elif self.is_unregistered and by != GET_USER:
            self._bury(user_of(data), str(old_key))
        if by == GET_USER:
            # What is stored may be about to get the hash of a new password.
            self._let_go()
            self.keeps_cookie = True
            return
        with self._internally():
            super().flush()  # type: ignore[misc]
        if old_key is not None:
            self.forget(old_key)
        self._let_go()

    def _bury(self, user: Any, session_key: str) -> None:
        if is_of_user_model(user):
            lifecycle.bury(user, session_key, EndReason.LOGGED_OUT)

    def _let_go(self) -> None:
        self._session_cache = {}
        self._session_key = self.stored_key = self.row_id = self._loaded = None
        self.modified = True

    @sensitive_variables()
    def delete(self, session_key: str | None = None) -> None:
        """Delete a session; the registry's, if it has one of this key, has been removed."""
        key = session_key or self.session_key
        super().delete(session_key)  # type: ignore[misc]
        if self._is_internal or key is None or not installation.is_installed():
            return
        row = records.find_session(key)
        if row is not None and row.ended_at is None:
            has_expired = row.expires_at is not None and row.expires_at <= timezone.now()
            ending.end(row, EndReason.EXPIRED if has_expired else EndReason.REMOVED)

    async def adelete(self, session_key: str | None = None) -> None:
        """See ``delete()``."""
        await sync_to_async(self.delete)(session_key)

    @sensitive_variables()
    def forget(self, session_key: str) -> None:
        """Delete the data that is stored under a key, and no more than that."""
        with self._internally():
            super().delete(session_key)  # type: ignore[misc]

    @contextmanager
    def _internally(self) -> Iterator[None]:
        before, self._is_internal = self._is_internal, True
        try:
            yield
        finally:
            self._is_internal = before


def _user_pk(data: SessionData) -> Any:
    return get_user_model()._meta.pk.to_python(data[SESSION_KEY])
