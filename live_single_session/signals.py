"""The signals that a site can listen to.

``session_started`` and ``session_ended`` are sent on commit, so that a receiver can rely
on what it is told. ``login_refused`` is sent at once: a refused login may be rolled back,
and then there is no commit. An exception in a receiver is logged and affects nothing else.
"""

from django.dispatch import Signal

# session: UserSession, request: HttpRequest | None
session_started = Signal()

# session: UserSession (``end_reason``, ``ended_at`` and ``replaced_by`` say why, when and
# for which newer login), batch: tuple[UserSession, ...], all sessions of this user that
# ended in the same event, this one included
session_ended = Signal()

# user: the user whose login was refused, request: HttpRequest | None,
# live: tuple[UserSession, ...], the user's sessions, which are kept
login_refused = Signal()

# Sent with ``ON_LIMIT = "observe"``, on commit. session: UserSession, the new one,
# excess: tuple[UserSession, ...], those that it would have ended
limit_exceeded = Signal()

# Sent with ``ON_SHARED``, once for a session. session: UserSession, which two browsers use
session_shared = Signal()
