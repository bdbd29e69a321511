"""Clean up after sessions that have ended: their data in the engine, and their announcement.

An ended row keeps its key until the engine has forgotten the session, and has no
``announced_at`` until the site's receivers have run. After a crash, the user's next login,
the re-check or a command finishes it.
"""

import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import UserSession, UserSessionQuerySet
from live_single_session.registry import db, engine, events

logger = logging.getLogger("live_single_session")

# Added to how long a cache remembers that a key may be invalid.
MARGIN_SECONDS = 24 * 60 * 60
# After which an end that nobody was told of is announced again.
UNTOLD_SECONDS = 60


def finish(rows: UserSessionQuerySet | None = None) -> int:
    """Finish what processes that died have left to do. Idempotent.

    It deletes ended sessions that the engine may still hold, and announces ends that were
    not announced.

    Args:
        rows: which ones to look at; by default all.

    Returns:
        how many sessions the engine has deleted now.
    """
    looked_at = db.rows() if rows is None else rows
    unfinished = looked_at.unfinished()
    finished = 0
    for chunk in db.chunks(unfinished.values_list("pk", flat=True)):
        found = list(unfinished.filter(pk__in=chunk))
        # Their marks may not have been set, or not have outlived the cache.
        if mark([row.session_key for row in found], found):
            finished += forget({row.pk: row.session_key for row in found})
    announce_untold(looked_at)
    return finished


def announce_untold(rows: UserSessionQuerySet) -> None:
    """Announce ends again whose process died before the site's receivers had run."""
    if not events.has_receivers():
        return
    long_ago = db.Now() - timedelta(seconds=UNTOLD_SECONDS)
    untold = rows.filter(announced_at__isnull=True, ended_at__lt=long_ago)
    for chunk in db.chunks(untold.values_list("pk", flat=True)):
        for batch in by_user(untold.filter(pk__in=chunk).select_related("replaced_by")):
            events.send_ended(batch)


@sensitive_variables()
def forget(keys: Mapping[uuid.UUID, str]) -> int:
    """Delete the data of ended sessions; return how many are done with that.

    It doesn't wait for a row that a request is writing to. That is left to the next call.
    """
    using = db.database()
    if engine.shares_transaction(using):
        with transaction.atomic(using=using):
            forgotten = engine.delete_rows(keys.values(), using)
        engine.forget_cached(forgotten)
    else:
        forgotten = {key for pk, key in keys.items() if _is_forgotten(pk, key)}
    # A row that has ended keeps its key until it is blanked: it needs no second look.
    done = [pk for pk, key in keys.items() if key in forgotten]
    batches = (db.rows().unfinished().filter(pk__in=chunk) for chunk in db.chunks(done))
    return sum(batch.update(session_key="") for batch in batches)


@sensitive_variables()
def _is_forgotten(pk: uuid.UUID, session_key: str) -> bool:
    try:
        engine.forget(session_key)
    except Exception:
        logger.exception("The engine could not forget session %s; it will be retried", pk)
        return False
    return True


@sensitive_variables()
def mark(keys: Collection[str], rows: Iterable[UserSession]) -> bool:
    """Mark keys as possibly invalid before the commit, so that a crash leaves no gap."""
    now = timezone.now()
    lifetimes = [(row.expires_at - now).total_seconds() for row in rows if row.expires_at]
    seconds = max([settings.SESSION_COOKIE_AGE, *lifetimes]) + MARGIN_SECONDS
    try:
        engine.mark(keys, seconds)
    except Exception:
        logger.exception("The session cache could not be told that sessions end")
        return False
    return True


def by_user(rows: Iterable[UserSession]) -> Iterator[tuple[UserSession, ...]]:
    """Yield the rows of each user."""
    users: dict[Any, list[UserSession]] = {}
    for row in rows:
        users.setdefault(row.user_id, []).append(row)
    for batch in users.values():
        yield tuple(batch)
