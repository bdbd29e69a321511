"""Describe a session in one line: as text for the terminal, or as JSON."""

import json
from datetime import UTC, datetime
from typing import Any

from live_single_session.models import UserSession
from live_single_session.session_info import SessionInfo

_FORMAT = "{:<20} {:<10} {:<30} {:<17} {:<17} {:<17} {}"

HEADING = _FORMAT.format(
    "user", "slot", "device", "signed in (UTC)", "last seen (UTC)", "ends (UTC)", "id"
)


def line_of(row: UserSession, user: Any) -> str:
    """Return a session as text, in the columns of ``HEADING``, without secrets."""
    info = SessionInfo(row)
    times = [_minute(each) for each in (row.started_at, row.last_seen_at, info.ends_at)]
    device = info.device or "unknown"
    return _FORMAT.format(user.get_username(), row.slot or "-", device, *times, row.pk)


def json_of(row: UserSession, user: Any) -> str:
    """Return a session as JSON, without secrets."""
    info = SessionInfo(row).as_json()
    del info["current"]
    return json.dumps({**info, "user": user.get_username(), "user_pk": str(row.user_id)})


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
