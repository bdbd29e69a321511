"""Sessions that were removed on the server, past the registry: asked of the engine in batches.

``Session.objects.all().delete()``, a cache that was emptied or another package may have
removed them. One look is not enough: a session that is missing twice under the same key, one
re-check apart, the second time under its user's lock, has been removed.
"""

import time
import uuid
from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.views.decorators.debug import sensitive_variables

from live_single_session.conf import conf
from live_single_session.models import EndReason
from live_single_session.registry import db, ending, engine, records

# Missing once: the digest of the key, and when that was seen, by session.
_missing: dict[uuid.UUID, tuple[str, float]] = {}


@sensitive_variables()
def end_removed(session_ids: Collection[uuid.UUID]) -> None:
    """End those of some live sessions that the engine no longer has.

    Args:
        session_ids: those that somebody watches; called at each re-check of them.
    """
    if not engine.answers_for_all():
        return
    for chunk in db.chunks(session_ids):
        rows = db.rows().live().filter(pk__in=chunk, session_key__gt="")
        found = {
            row[0]: row
            for row in rows.values_list("session_key", "key_digest", "pk", "user_id")
        }
        present = engine.present_among(found)
        for key, (_, key_digest, pk, user_pk) in found.items():
            if key in present:
                _missing.pop(pk, None)
            elif _is_missing_again(pk, str(key_digest)):
                _end_if_missing(pk, str(key_digest), user_pk)


def _is_missing_again(pk: uuid.UUID, key_digest: str) -> bool:
    """Tell whether a session was missing at an earlier re-check, under the same key."""
    now = time.monotonic()
    seen_digest, since = _missing.get(pk, ("", now))
    if seen_digest != key_digest:
        _missing[pk] = key_digest, now
        return False
    return now - since >= conf.RECHECK_SECONDS / 2


@sensitive_variables()
def _end_if_missing(pk: uuid.UUID, key_digest: str, user_pk: Any) -> None:
    try:
        with db.locked({user_pk}, wait=False) as now:
            row = records.live_row(pk)
            if row is None or row.key_digest != key_digest:
                return
            if engine.present_among([row.session_key]):
                return
            has_expired = row.expires_at is not None and row.expires_at <= now
            reason = EndReason.EXPIRED if has_expired else EndReason.REMOVED
            ending.end_rows([row], reason, now)
    except get_user_model().DoesNotExist:  # or it is locked: the next re-check looks again
        return
    _missing.pop(pk, None)
