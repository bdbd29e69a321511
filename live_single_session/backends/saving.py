"""How a session engine saves a session and gives it a new key."""

import copy
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, UpdateError
from django.utils.crypto import get_random_string
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.errors import is_gone
from live_single_session.backends.loading import Loading, SessionData, user_pk_in
from live_single_session.models import (
    INSTALLATION_KEY,
    SESSION_ID_KEY,
    UserSession,
)
from live_single_session.registry import (
    db,
    engine,
    gate,
    installation,
    lifecycle,
    logins,
    records,
)
from live_single_session.request_state import current_request
from live_single_session.session_user import is_of_user_model, is_valid, user_of


class Saving(Loading):
    """Saves live sessions; a new key is recorded when the data is stored under it."""

    # Keys

    def _get_new_session_key(self) -> str:
        return get_random_string(32, VALID_KEY_CHARS)

    async def _aget_new_session_key(self) -> str:
        return self._get_new_session_key()

    def take_new_key(self) -> None:
        """Choose a new key. The next save records it and invalidates the old one."""
        self._session_key = self._get_new_session_key()
        self.modified = True

    def cycle_key(self) -> None:
        """Keep the data, and store it under a new key with the next save."""
        self._session  # noqa: B018 - loads it
        self.take_new_key()

    async def acycle_key(self) -> None:
        """See ``cycle_key()``."""
        await self._aget_session()
        self.take_new_key()

    def create(self) -> None:
        """Create a new session; one with a signed-in user only gets a new key."""
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
        """Save the session and record its key, unless the session has ended meanwhile."""
        self._asking(self._save, must_create)

    @sensitive_variables()
    def _save(self, must_create: bool) -> None:
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
        elif self.has_new_key:
            self._save_under_new_key()
        elif data != self._written:
            self._unless_gone(self._update)

    async def asave(self, must_create: bool = False) -> None:
        """See ``save()``."""
        await sync_to_async(self.save)(must_create)

    def drop(self) -> None:
        """Save nothing, and set no cookie: the browser may have a newer one."""
        self.dropped = True
        # A browser that has just signed in is told by its cookie that this is over.
        if self.on_drop is not None and not self.has_begun:
            self.on_drop()

    def settle(self) -> None:
        """Go back to the old key and row if this request's change was rolled back."""
        row = records.live_row(self.row_id)
        # In a site's TestCase nothing is ever committed, and yet it is there.
        if row is not None and gate.is_current(row, self.session_key):
            return
        self._session_key, self.row_id = self._before
        self.stored_key = self._session_key
        self._is_committed = True
        self.has_begun = False
        self.__dict__.pop("_session_cache", None)
        self.drop()

    def _notice_another_user(self, data: SessionData) -> None:
        """Treat a change of the user without ``login()`` as a sign-in of the new user."""
        loaded = self._loaded or {}
        if self.row_id is None or self.has_begun or SESSION_KEY not in data:
            return
        if loaded.get(SESSION_KEY, data[SESSION_KEY]) != data[SESSION_KEY]:
            self.left = (*self.left, (self.row_id, user_pk_in(loaded)))
            self.row_id = self._loaded = None

    def _save_unregistered(self, must_create: bool) -> None:
        """Save a session that has no row and gets none: mostly an anonymous one."""
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
        """Save a signed-in session without a row: an old one, or a new sign-in."""
        user = None if self._loaded is not None else user_of(self._session_cache)
        if user is None or not is_of_user_model(user):
            self._save_unregistered(must_create)
        else:
            logins.start_session(user, self, current_request())

    @sensitive_variables()
    def _save_under_new_key(self) -> None:
        assert self.row_id and self.stored_key and self.session_key  # noqa: PT018, S101
        user_pk = user_pk_in(self._session_cache)
        old_key, new_key = self.stored_key, self.session_key
        self._before = old_key, self.row_id
        key = lifecycle.rotate(self.row_id, user_pk, old_key, new_key, self._insert_changed)
        if key is None:
            self.forget(old_key)  # it is dead, if it is still there
            self.drop()
        elif key != new_key:
            self._go_on_with(key)

    @sensitive_variables()
    def _go_on_with(self, key: str) -> None:
        """Go on with the key that another request has given the session first."""
        stored, mine, loaded = engine.data_of(key), self._session_cache, self._loaded or {}
        if not stored:
            return self.drop()
        changed = {k: v for k, v in mine.items() if k not in loaded or loaded[k] != v}
        if HASH_SESSION_KEY in changed and not _has_current_password(mine):
            del changed[HASH_SESSION_KEY]  # the password was changed once more
        kept = {k: v for k, v in stored.items() if k in mine or k not in loaded}
        self._session_key = self.stored_key = key
        self._session_cache, self._loaded = {**kept, **changed}, stored
        if HASH_SESSION_KEY not in changed:
            return self._unless_gone(self._update)
        # A save beside this one would bring the hash of the old password back.
        self.take_new_key()
        return self._save_under_new_key()

    def begin(self, row: UserSession) -> None:
        """Store the session of a sign-in, in the transaction of the sign-in."""
        self._before = self.stored_key, self.row_id
        self.has_begun = True
        self._name_row(row)
        old_key = self.stored_key
        self._insert_changed()
        if old_key is not None:
            db.on_commit(self.forget, old_key)

    def belongs_to(self, row: UserSession) -> None:
        """Set the row of this session; the next save stores its id."""
        self._name_row(row)
        self.modified = True

    def was_adopted(self, row: UserSession) -> None:
        """Store the id of this session's new row.

        The answer sets no cookie for it: it could overtake one with a newer key.
        """
        is_saved_anyway = self.modified or self.has_new_key
        self.belongs_to(row)
        if not is_saved_anyway:
            self.save()
            self.modified = False

    def _name_row(self, row: UserSession) -> None:
        self.row_id = row.pk
        self._session_cache[SESSION_ID_KEY] = str(row.pk)
        self._session_cache[INSTALLATION_KEY] = installation.name_here()

    def _insert_changed(self) -> None:
        """Store the data under the key that the current transaction records."""
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
        if self.has_begun and self.on_sign_in is not None and self.row_id is not None:
            self.on_sign_in(self.row_id, user_pk_in(self._session_cache))

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


@sensitive_variables()
def _has_current_password(data: SessionData) -> bool:
    """Tell whether a session has the hash of the password that its user has now."""
    user = db.users_among([user_pk_in(data)]).first()
    return user is not None and is_valid(data, user)
