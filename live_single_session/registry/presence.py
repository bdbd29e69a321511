"""Record which browsers are connected, where ``AWAY_SECONDS`` asks for it.

``present_until`` says until when a browser is known to be connected; once that is past,
since when it is gone. It is null for a session that never had a websocket. No user's lock
is taken: this ends nobody, and a row that somebody else is changing is left for later.
"""

import uuid
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from django.db.models import Q, QuerySet

from live_single_session.conf import conf
from live_single_session.models import UserSessionQuerySet
from live_single_session.registry import db

# The sessions whose websockets are open in this process.
connected: Counter[uuid.UUID] = Counter()


def period() -> float:
    """Return how often presence is recorded, in seconds: twice before it lapses."""
    return (conf.AWAY_SECONDS or 0) / 3


def arrive(session_ids: Collection[uuid.UUID]) -> int:
    """Record that browsers have come; those that are known to be there cost no write.

    Returns:
        how many were not known to be there.
    """
    gone = Q(present_until__isnull=True) | Q(present_until__lt=db.Now())
    return _set(session_ids, gone, 2 * period())


def stay(session_ids: Collection[uuid.UUID]) -> int:
    """Record that browsers are still there, all in one statement (for each 500)."""
    return _set(session_ids, Q(), 2 * period())


def leave(session_ids: Collection[uuid.UUID], seconds: float) -> int:
    """Record that browsers have been gone for so many seconds."""
    later = Q(present_until__gt=db.Now() - timedelta(seconds=seconds))
    return _set(session_ids, later, -seconds)


def see(session_id: uuid.UUID) -> bool:
    """Record that a browser which seemed to be gone has made a request.

    Returns:
        whether it seemed so.
    """
    gone = db.rows().live().filter(pk=session_id, present_until__lt=db.Now())
    return gone.update(present_until=db.Now()) == 1


def _set(session_ids: Collection[uuid.UUID], match: Q, seconds: float) -> int:
    using, changed = db.database(), 0
    until = db.Now() + timedelta(seconds=seconds)
    for chunk in db.chunks(session_ids):
        rows = db.rows().live().filter(match, pk__in=chunk)
        with transaction.atomic(using=using):
            changed += db.rows().filter(pk__in=_free(rows, using)).update(present_until=until)
    return changed


def _free(rows: UserSessionQuerySet, using: str) -> QuerySet[Any]:
    """Return the ids of rows that nobody is changing, and keep it so: no deadlocks."""
    features = connections[using].features
    if features.has_select_for_update_skip_locked:
        no_key = features.has_select_for_no_key_update
        rows = rows.select_for_update(skip_locked=True, no_key=no_key)
    return rows.values("pk")
