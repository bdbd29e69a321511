"""The signals that a site can listen to.

``session_started`` and ``session_ended`` are sent on commit, so that whoever hears
of a login can rely on it. ``login_refused`` is sent at once: a refused login may be
rolled back, and then there is no commit. A receiver that raises is logged and harms
nobody.
"""

from django.dispatch import Signal

# session: UserSession, request: HttpRequest | None
session_started = Signal()

# session: UserSession (``end_reason``, ``ended_at`` and ``replaced_by`` say why, when and
# for whom), batch: tuple[UserSession, ...], all of this user's that ended in the same
# event, this one included
session_ended = Signal()

# user: the user who may not sign in, request: HttpRequest | None,
# live: tuple[UserSession, ...], the sessions that keep their place
login_refused = Signal()

# Sent with ``ON_LIMIT = "observe"``, on commit. session: UserSession, the new one,
# excess: tuple[UserSession, ...], those that it would have ended
limit_exceeded = Signal()
