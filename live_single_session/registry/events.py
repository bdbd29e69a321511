"""Log and signal what happened to sessions; all but a refusal on commit."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest

from live_single_session.exceptions import LoginRefused
from live_single_session.models import (
    UserSession,
)
from live_single_session.registry import db
from live_single_session.signals import (
    limit_exceeded,
    login_refused,
    session_ended,
    session_shared,
    session_started,
)

logger = logging.getLogger("live_single_session")

# Sent with ``session`` when a session that was about to end in time has been used.
prolonged = Signal()

_untold: ContextVar[list[tuple[UserSession, ...]] | None] = ContextVar(
    "live_single_session_untold", default=None
)


def send_started(row: UserSession, request: HttpRequest | None) -> None:
    """Log and signal that a session has started."""
    logger.info(
        "Session %s of user %s started", row.pk, row.user_id, extra=_facts("started", row)
    )
    session_started.send_robust(UserSession, session=row, request=request)


def send_prolonged(row: UserSession) -> None:
    """Say that a session will not end yet, of whose end its tabs may have been warned."""
    prolonged.send_robust(UserSession, session=row)


def send_limit_exceeded(row: UserSession, excess: list[UserSession]) -> None:
    """Log and signal which sessions a new one would have ended."""
    ids = ", ".join(str(rival.pk) for rival in excess)
    facts = _facts("limit_exceeded", row)
    logger.info(
        "Session %s of user %s would have ended %s", row.pk, row.user_id, ids, extra=facts
    )
    limit_exceeded.send_robust(UserSession, session=row, excess=tuple(excess))


def send_shared(row: UserSession) -> None:
    """Log and signal that two browsers use a session at once."""
    facts = _facts("shared", row)
    text = "Session %s of user %s is used in two browsers at once"
    logger.warning(text, row.pk, row.user_id, extra=facts)
    session_shared.send_robust(UserSession, session=row)


def has_receivers() -> bool:
    """Tell whether anybody but this package listens to ``session_ended``."""
    return len(session_ended.receivers) > 1


@contextmanager
def at_last() -> Iterator[None]:
    """Say only when the context is left what has ended in it: ending goes before telling."""
    ended: list[tuple[UserSession, ...]] = []
    token = _untold.set(ended)
    try:
        yield
    finally:
        _untold.reset(token)
        for rows in ended:
            send_ended(rows)


def send_ended(rows: tuple[UserSession, ...]) -> None:
    """Say that sessions of one user have ended, in one event."""
    if (untold_yet := _untold.get()) is not None:
        untold_yet.append(rows)
        return
    for row in rows:
        logger.info(
            "Session %s of user %s ended: %s",
            row.pk,
            row.user_id,
            row.end_reason,
            extra=_facts("ended", row),
        )
        session_ended.send_robust(UserSession, session=row, batch=rows)
    untold = [row.pk for row in rows if row.announced_at is None]
    if untold:
        db.rows().filter(pk__in=untold).update(announced_at=db.Now())


def send_refused(refused: LoginRefused, request: HttpRequest | None) -> None:
    """Log and signal that a login was refused; only log that it waits for a choice."""
    user, number = refused.user, len(refused.live)
    times = "1 time" if number == 1 else f"{number} times"
    facts = {"user_id": str(user.pk), "slot": refused.terms.slot}
    if refused.asks:
        text = "The sign-in of user %s waits for a choice: signed in %s already"
        logger.info(text, user.pk, times, extra={"event": "asked", **facts})
        return
    text = "The sign-in of user %s was refused: signed in %s already"
    logger.info(text, user.pk, times, extra={"event": "refused", **facts})
    login_refused.send_robust(UserSession, user=user, request=request, live=refused.live)


def _facts(event: str, row: UserSession) -> dict[str, Any]:
    """Return the fields of a log record for log collectors, without secrets."""
    return {
        "event": event,
        "session_id": str(row.pk),
        "user_id": str(row.user_id),
        "slot": row.slot,
        "reason": row.end_reason or None,
    }
