"""Note that a session is used in two browsers at once, and end it where the site says so."""

import uuid

from django.db.models import Q

from live_single_session import policy
from live_single_session.conf import conf
from live_single_session.models import EndReason
from live_single_session.registry import db, ending, events


def note(session_id: uuid.UUID) -> None:
    """Note it once, and say so; with ``ON_SHARED = "end"`` end the session.

    It takes no lock to note it: that ends nobody.
    """
    new = db.rows().live().filter(pk=session_id, shared_at__isnull=True)
    is_new = new.update(shared_at=db.Now())
    row = db.rows().live().filter(pk=session_id).select_related("user").first()
    if row is None:
        return
    if is_new:
        events.send_shared(row)
    if conf.ON_SHARED == policy.END:
        ending.end_where(row.user_id, EndReason.SHARED, Q(pk=row.pk))
