"""What the log and the listeners hear of starts and ends; called on commit."""

import logging
from typing import Any

from django.http import HttpRequest

from live_single_session.models import (
    UserSession,
)
from live_single_session.signals import limit_exceeded, session_ended, session_started

logger = logging.getLogger("live_single_session")


def announce_start(row: UserSession, request: HttpRequest | None) -> None:
    """Say that a session has started."""
    logger.info(
        "Session %s of user %s started", row.pk, row.user_id, extra=_facts("started", row)
    )
    session_started.send_robust(UserSession, session=row, request=request)


def announce_observed(row: UserSession, over: list[UserSession]) -> None:
    """Say which sessions would have given way to a new one."""
    ids = ", ".join(str(rival.pk) for rival in over)
    facts = _facts("limit_exceeded", row)
    logger.info(
        "Session %s of user %s would have ended %s", row.pk, row.user_id, ids, extra=facts
    )
    limit_exceeded.send_robust(UserSession, session=row, over=tuple(over))


def announce_end(rows: tuple[UserSession, ...]) -> None:
    """Say that sessions of one user have ended, in one event."""
    for row in rows:
        logger.info(
            "Session %s of user %s ended: %s",
            row.pk,
            row.user_id,
            row.end_reason,
            extra=_facts("ended", row),
        )
        session_ended.send_robust(UserSession, session=row, together=rows)


def _facts(event: str, row: UserSession) -> dict[str, Any]:
    """Return what a log line is about, for those who collect them: no secret is in it."""
    return {
        "event": event,
        "session_id": str(row.pk),
        "user_id": str(row.user_id),
        "slot": row.slot,
        "reason": row.end_reason or None,
    }
