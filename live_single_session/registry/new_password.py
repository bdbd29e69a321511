"""End the sessions of a user who has got a new password."""

import uuid
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import EndReason
from live_single_session.registry import db, ending, engine, records
from live_single_session.session_user import is_valid


@sensitive_variables()
def end_outdated(user: Any, keep: uuid.UUID | None) -> int:
    """End the sessions of a user who has got a new password; return how many they were.

    Args:
        user: the user, with the new password.
        keep: the session in which it was changed. One that was signed in to with the new
            password already, perhaps in the same browser, lives on as well.
    """
    try:
        with db.locked({user.pk}) as now:
            live = db.rows().live().of(user).exclude(Q(pk=keep))
            outdated = [row for row in live if not _fits(row.session_key, user)]
            for row in outdated:
                records.remember_user(row, user)
            ending.end_rows(outdated, EndReason.PASSWORD_CHANGED, now)
    except get_user_model().DoesNotExist:
        return 0
    return len(outdated)


@sensitive_variables()
def _fits(session_key: str, user: Any) -> bool:
    """Tell whether the data of a session has the hash of its user's password."""
    data = engine.data_of(session_key) if session_key else {}
    return SESSION_KEY in data and is_valid(data, user)
