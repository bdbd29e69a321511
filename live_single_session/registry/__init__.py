"""The registry: who is signed in where. The only writer of ``UserSession``.

One rule: whatever changes a user's rows does it under that user's lock, and reads the
session keys that it deletes after taking it. Times are the database's, so that skewed
clocks of the nodes can't change who is oldest.

These are the functions that a site may call. They are synchronous, as Django's
transactions are; each has an async twin whose name begins with ``a``.
"""

from asgiref.sync import sync_to_async

from live_single_session.exceptions import LoginRefused
from live_single_session.registry.ending import end, end_all
from live_single_session.registry.logins import start
from live_single_session.registry.records import live_of

astart = sync_to_async(start)
aend = sync_to_async(end)
aend_all = sync_to_async(end_all)
alive_of = sync_to_async(live_of)

__all__ = [
    "LoginRefused",
    "aend",
    "aend_all",
    "alive_of",
    "astart",
    "end",
    "end_all",
    "live_of",
    "start",
]
