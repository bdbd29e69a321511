"""How many users have how many live sessions, and whom a limit would interrupt.

One query, whose rows are read as they come: a large site is counted in constant memory.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Count, DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Coalesce

from live_single_session.models import UserSession
from live_single_session.registry import db, limits, time_limits

DAY = timedelta(days=1)
LIMITS = (1, 2, 3, 4, 5)  # that a site may think of


@dataclass
class SlotSummary:
    """The live sessions of one kind in one slot.

    Attributes:
        users: how many users have how many of them: ``{1: 1200, 2: 86}``.
        live: how many they are.
        used: how many of them were used in the last day.
    """

    users: Counter[int] = field(default_factory=Counter)
    live: int = 0
    used: int = 0


@dataclass
class Summary:
    """All live sessions, counted.

    Attributes:
        slots: what is live, by slot and kind.
        interrupted: how many users a limit would interrupt in a day, by limit.
    """

    slots: dict[tuple[str, str], SlotSummary]
    interrupted: dict[int, int]


def summarize(user: Any = None) -> Summary:
    """Count live sessions.

    A session counts as used when it was last seen, or else signed in to, within a day. A
    limit interrupts whoever used more sessions than that in one slot within a day: a
    session that nobody uses any more, whose cookie is still good, interrupts nobody.

    Args:
        user: count only this user's; None: everybody's.
    """
    slots: dict[tuple[str, str], SlotSummary] = {}
    interrupted = Counter(dict.fromkeys(LIMITS, 0))
    for _, of_user in groupby(_counted(user), itemgetter("user_id")):
        used: Counter[str] = Counter()
        for row in of_user:
            summary = slots.setdefault((row["slot"], row["kind"]), SlotSummary())
            summary.users[row["live"]] += 1
            summary.live += row["live"]
            summary.used += row["used"]
            used[row["slot"]] += row["used"]
        most = max((n for slot, n in used.items() if slot != limits.EXEMPT_SLOT), default=0)
        interrupted.update(limit for limit in LIMITS if most > limit)
    return Summary(dict(sorted(slots.items())), dict(interrupted))


def _counted(user: Any) -> Iterator[Any]:
    """Yield how many live sessions each user has, each user's slots one after the other."""
    a_day_ago = ExpressionWrapper(db.Now() - DAY, DateTimeField())
    rows = UserSession.objects.using(db.database()).live().filter(time_limits.within())
    if user is not None:
        rows = rows.of(user)
    unexpired = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=db.Now()))
    counted = (
        unexpired.alias(last_use=Coalesce("last_seen_at", "started_at"))
        .values("user_id", "slot", "kind")
        .annotate(live=Count("pk"), used=Count("pk", filter=Q(last_use__gt=a_day_ago)))
    )
    return counted.order_by("user_id").iterator(chunk_size=db.CHUNK)
