"""Somebody else's engine behind the fence, as docs/guarantees.md shows it."""

from user_sessions.backends.db import SessionStore as UserSessionsStore

from live_single_session.backends.fence import Fence


class SessionStore(Fence, UserSessionsStore):
    pass
