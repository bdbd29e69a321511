"""The twin of Django's ``cached_db`` session engine; it costs no added round trip."""

import logging

from django.contrib.sessions.backends.cached_db import SessionStore as CachedDBStore
from django.contrib.sessions.backends.db import SessionStore as DBStore

from live_single_session.backends.marks import MarkedFence
from live_single_session.backends.rows import RowsFence
from live_single_session.models import FINGERPRINT_KEY

logger = logging.getLogger("django.contrib.sessions")


class _DjangoStore(CachedDBStore):
    # A session is created empty, and saved again with its data. If the empty one were cached,
    # and the cache failed at the second save, it would stay empty.

    def save(self, must_create: bool = False) -> None:
        """Save the session, and cache it unless this save creates it."""
        if must_create:
            DBStore.save(self, must_create)
        else:
            super().save()


class SessionStore(RowsFence, MarkedFence, _DjangoStore):
    """Sessions in rows and a cache, opened by their current keys only."""

    def _insert(self) -> None:
        if self._is_beside_registry():
            self._set_fingerprint()  # it is committed with the key, or not at all
        else:
            self._session_cache.pop(FINGERPRINT_KEY, None)
        super()._insert()

    def _confirm(self) -> None:
        super()._confirm()
        if FINGERPRINT_KEY in self._session_cache:
            self._cache_data()
        else:
            self._set_fingerprint()
            self._unless_gone(self._update)
            self._note_written()

    def _update(self) -> None:
        super()._update()
        if self._is_beside_registry():
            self._cache_data()

    def _cache_data(self) -> None:
        try:
            self._cache.set(self.cache_key, self._session_cache, self.get_expiry_age())
        except Exception:
            logger.exception("Error saving to cache (%s)", self._cache)
