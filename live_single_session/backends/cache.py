"""The twin of Django's ``cache`` session engine; it costs no added round trip."""

from django.contrib.sessions.backends.cache import SessionStore as DjangoStore

from live_single_session.backends.marks import MarkedFence
from live_single_session.models import FINGERPRINT_KEY


class SessionStore(MarkedFence, DjangoStore):
    """Sessions in a cache, opened by their current keys only."""

    def _insert(self) -> None:
        # Without a fingerprint the registry is asked: the key is not committed yet.
        self._session_cache.pop(FINGERPRINT_KEY, None)
        super()._insert()

    def _confirm(self) -> None:
        super()._confirm()
        self._set_fingerprint()
        self._unless_gone(self._update)
        self._note_written()
