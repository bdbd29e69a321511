"""A session in a line of text: for the terminal, or as JSON for programs."""

import json
from datetime import UTC, datetime
from typing import Any

from live_single_session.devices import device_of
from live_single_session.models import UserSession

_FORMAT = "{:<20} {:<10} {:<30} {:<17} {:<17} {}"

HEADING = _FORMAT.format("user", "slot", "device", "signed in (UTC)", "last seen (UTC)", "id")


def line_of(row: UserSession, user: Any) -> str:
    """Describe a session, under ``HEADING``; no secret is in it."""
    device = str(device_of(row.user_agent) or "unknown")
    started, seen = _minute(row.started_at), _minute(row.last_seen_at)
    return _FORMAT.format(user.get_username(), row.slot or "-", device, started, seen, row.pk)


def json_of(row: UserSession, user: Any) -> str:
    """Describe a session for programs; no secret is in it."""
    device = device_of(row.user_agent)
    described = {
        "id": str(row.pk),
        "user": user.get_username(),
        "user_pk": str(row.user_id),
        "kind": row.kind,
        "slot": row.slot,
        "device": str(device) if device else None,
        "ip": row.ip,
        "started_at": _iso(row.started_at),
        "last_seen_at": _iso(row.last_seen_at),
        "ended_at": _iso(row.ended_at),
        "end_reason": row.end_reason or None,
    }
    return json.dumps(described)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
