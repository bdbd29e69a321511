"""What pushes, sockets and re-checks of this process come to, for those who measure them.

Receivers are called in the process and event loop where it happens, and must not block.
"""

from django.dispatch import Signal

SENT = "sent"
FAILED = "failed"
TIMED_OUT = "timed_out"
DONE = "done"

# outcome: SENT, FAILED or TIMED_OUT, of one message about a user's ended sessions
pushed = Signal()

# change: 1 where a tab's socket begins to watch its session, -1 where it has left
sockets_changed = Signal()

# outcome: DONE or FAILED, of one look at the registry for sessions that are watched here
rechecked = Signal()
