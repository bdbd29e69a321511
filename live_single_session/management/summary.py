"""A summary of live sessions: for the terminal, or as JSON for programs."""

import json
from collections.abc import Iterator

from live_single_session.conf import conf
from live_single_session.registry.statistics import Summary


def lines_of(summary: Summary) -> Iterator[str]:
    """Describe live sessions, slot by slot, and what limits would do."""
    for (slot, kind), of_slot in summary.slots.items():
        users = ", ".join(f"{many} with {number}" for number, many in _sorted(of_slot.users))
        yield f"Slot {slot or '-'}, kind {kind}: {of_slot.live} live sessions"
        yield f"  users: {users}"
        yield f"  used in the last day: {of_slot.used}"
    if not summary.slots:
        yield "There are no live sessions."
    yield "Users whom a limit would interrupt per day:"
    for limit, number in summary.interrupted.items():
        yield f"  LIMIT {limit}: {number}"
    if not _records_use():
        yield (
            "When sessions were last used is not recorded, only when they were signed in to: "
            "set ACTIVITY_SECONDS, and look again after a day."
        )


def json_of(summary: Summary) -> str:
    """Describe live sessions for programs, in one object."""
    slots = [
        {
            "slot": slot,
            "kind": kind,
            "live": of_slot.live,
            "used_last_day": of_slot.used,
            "users": {str(number): users for number, users in _sorted(of_slot.users)},
        }
        for (slot, kind), of_slot in summary.slots.items()
    ]
    interrupted = {str(limit): users for limit, users in summary.interrupted.items()}
    return json.dumps(
        {
            "slots": slots,
            "interrupted_per_day": interrupted,
            "records_last_use": _records_use(),
        }
    )


def _records_use() -> bool:
    return conf.ACTIVITY_SECONDS is not None


def _sorted(users: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(users.items())
