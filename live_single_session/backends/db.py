"""The twin of Django's ``db`` session engine; it costs no added query.

The one query that loads a session tells whether its key is the current one of a live row. It
asks where sessions are written: a replica may not have heard of a sign-in yet.
"""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DjangoStore
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.loading import SessionData
from live_single_session.backends.rows import RowsFence
from live_single_session.registry import gate, installation, statements


class SessionStore(RowsFence, DjangoStore):
    """Sessions in rows, opened by their current keys only."""

    @sensitive_variables()
    def load(self) -> SessionData:
        """Load the session; one that the key doesn't open is empty."""
        if not (installation.is_installed() and self._is_beside_registry()):
            return super().load()
        key = self.session_key
        self.presented_key = key
        found = statements.session_with_live_id(self.model, key)
        if found is None:
            self._session_key = None
            self._is_lost = key is not None
            return {}
        encoded, live_id = found
        data: SessionData = self.decode(encoded)
        self.stored_key = key
        if SESSION_KEY not in data:
            return data
        return self._obey(gate.judge_by(live_id, str(key), data), data)
