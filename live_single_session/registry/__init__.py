"""The registry: who is signed in where. The only writer of ``UserSession``.

One rule: whatever changes a user's rows does it under that user's lock, and reads the
session keys that it deletes after taking it. Otherwise a key that is rotated beside a
login survives the login. Times are the database's, so that skewed clocks of the nodes
can't change who is oldest.

The functions are synchronous, as Django's transactions are; each that a request may need
has an async twin whose name begins with ``a``.
"""

from asgiref.sync import sync_to_async

from live_single_session.registry.ending import end, end_all, ended_among, finish
from live_single_session.registry.limits import EXEMPT_SLOT, LoginRefused, Terms, by_use
from live_single_session.registry.logins import (
    adopt,
    leave,
    live,
    prolong,
    recognise,
    rotate,
    set_lifetime,
    start,
    start_token,
    touch,
)
from live_single_session.registry.table import CHUNK, Now, database, looks_in
from live_single_session.registry.upkeep import (
    count_crowded_users,
    crowded_users,
    end_many,
    ended_before,
    enforce,
    expire,
    over_limit,
    prunable,
    prune,
)

astart = sync_to_async(start)
aend = sync_to_async(end)
aend_all = sync_to_async(end_all)
arotate = sync_to_async(rotate)
alive = sync_to_async(live)

__all__ = [
    "CHUNK",
    "EXEMPT_SLOT",
    "LoginRefused",
    "Now",
    "Terms",
    "adopt",
    "aend",
    "aend_all",
    "alive",
    "arotate",
    "astart",
    "by_use",
    "count_crowded_users",
    "crowded_users",
    "database",
    "end",
    "end_all",
    "end_many",
    "ended_among",
    "ended_before",
    "enforce",
    "expire",
    "finish",
    "leave",
    "live",
    "looks_in",
    "over_limit",
    "prolong",
    "prunable",
    "prune",
    "recognise",
    "rotate",
    "set_lifetime",
    "start",
    "start_token",
    "touch",
]
