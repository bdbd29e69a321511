"""``Fence``, a mixin for session engines: only the current key of a live session opens it.

It applies to whoever loads a session or changes its key: views, Channels, Django REST
framework, a shell. A key opens a session if it is the current key of a live row, or if no
row knows it: then the session is from before the installation. A new key is recorded with
the save that stores the data under it, under the user's lock.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.loading import user_pk_in
from live_single_session.backends.saving import Saving
from live_single_session.django_internals import GET_USER, LOGIN, flushed_by
from live_single_session.models import (
    EndReason,
)
from live_single_session.registry import (
    ending,
    installation,
    lifecycle,
    records,
)
from live_single_session.session_user import is_of_user_model, user_of


class Fence(Saving):
    """A mixin for session engines; it costs one query for each load of a signed-in session.

    Put it in front of any engine's ``SessionStore``::

        class SessionStore(Fence, some_package.SessionStore):
            pass
    """

    def flush(self) -> None:
        """Delete the session: a sign-out, unless Django refuses or replaces the session."""
        self._asking(self._flush, flushed_by())

    async def aflush(self) -> None:
        """See ``flush()``."""
        await sync_to_async(self._flush)(flushed_by())

    @sensitive_variables()
    def _flush(self, by: str | None) -> None:
        data = self._session
        row_id, old_key = self.row_id, self.stored_key
        if row_id is not None:
            user_pk = user_pk_in(data)
            if by == LOGIN:
                self.left = (*self.left, (row_id, user_pk))
            elif by is None:
                ending.end_where(user_pk, EndReason.LOGGED_OUT, Q(pk=row_id))
                self.signed_out = True
        elif self.is_unregistered and by != GET_USER:
            self._bury(user_of(data), str(old_key))
        if by == GET_USER:
            # What is stored may be about to get the hash of a new password.
            self.leave()
            return
        key = self.session_key
        with self._internally():
            super().flush()  # type: ignore[misc]
        if old_key not in (None, key):
            self.forget(str(old_key))
        self._let_go()

    def _bury(self, user: Any, session_key: str) -> None:
        if is_of_user_model(user):
            lifecycle.bury(user, session_key, EndReason.LOGGED_OUT)

    def leave(self) -> None:
        """Be anonymous for the rest of this request; the session itself lives on."""
        self._let_go()
        self.keeps_cookie = True

    def _let_go(self) -> None:
        self._session_cache = {}
        self._session_key = self.stored_key = self.row_id = self._loaded = None
        self.modified = True

    @sensitive_variables()
    def delete(self, session_key: str | None = None) -> None:
        """Delete a session; if it is live in the registry, it ends as removed or expired."""
        key = session_key or self.session_key
        if key is not None:
            self._asking(self._delete, key)

    @sensitive_variables()
    def _delete(self, key: str) -> None:
        self.forget(key)
        if self._is_internal or not installation.is_installed():
            return
        row = records.find_session(key)
        if row is not None and row.ended_at is None:
            has_expired = row.expires_at is not None and row.expires_at <= timezone.now()
            ending.end(row, EndReason.EXPIRED if has_expired else EndReason.REMOVED)

    async def adelete(self, session_key: str | None = None) -> None:
        """See ``delete()``."""
        await sync_to_async(self.delete)(session_key)
