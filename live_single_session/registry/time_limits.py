"""Limits in time in queries: which sessions are over, by the database's clock.

A row's ``ends_at`` is the earliest of its limits in time, and ``ends_by`` is which one that is.
A limit that a site has taken out of its settings ends nobody any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from live_single_session.conf import conf
from live_single_session.models import TIME_LIMITS, EndReason, UserSession
from live_single_session.registry import db


def in_force() -> list[str]:
    """Return the reasons of those limits in time that the site has set."""
    limits = {EndReason.IDLE: conf.IDLE_SECONDS, EndReason.LIFETIME: conf.LIFETIME_SECONDS}
    return [reason.value for reason, seconds in limits.items() if seconds is not None]


def overdue() -> Q:
    """Match the rows whose time is over."""
    return Q(ends_at__lte=db.Now(), ends_by__in=in_force())


def within(prefix: str = "") -> Q:
    """Match the rows whose time is not over.

    Args:
        prefix: the lookup of a relation to the rows, with its underscores.
    """
    reasons = in_force()
    if not reasons:
        return Q()
    is_later = Q(**{f"{prefix}ends_at__isnull": True}) | Q(**{f"{prefix}ends_at__gt": db.Now()})
    if len(reasons) == len(TIME_LIMITS):
        return is_later
    return is_later | ~Q(**{f"{prefix}ends_by__in": reasons})


@dataclass(frozen=True)
class Ahead:
    """The end of a session in time: by which limit, and in how many seconds."""

    reason: str
    seconds: float


def soon(session_ids: Iterable[UUID], seconds: float) -> dict[UUID, Ahead]:
    """Return those of some live sessions that end in time within so many seconds."""
    found: dict[UUID, Ahead] = {}
    if not (reasons := in_force()):
        return found
    near = Q(ends_at__lte=db.Now() + timedelta(seconds=seconds), ends_by__in=reasons)
    for chunk in db.chunks(session_ids):
        rows: Any = db.rows().live().filter(near, pk__in=chunk).annotate(registry_now=db.Now())
        for row in rows.only("ends_at", "ends_by"):
            seconds = (row.ends_at - row.registry_now).total_seconds()
            found[row.pk] = Ahead(row.ends_by, seconds)
    return found


def is_over(row: UserSession, now: datetime) -> bool:
    """Tell whether the time of a session is over at this time of the database's."""
    return row.ends_at is not None and row.ends_at <= now and row.ends_by in in_force()


def by_reason(rows: Iterable[UserSession], now: datetime) -> dict[str, list[UserSession]]:
    """Return sessions that nobody can use any more, by the reason that ended them."""
    groups: dict[str, list[UserSession]] = {}
    for row in rows:
        reason = row.ends_by if is_over(row, now) else EndReason.EXPIRED.value
        groups.setdefault(reason, []).append(row)
    return groups


def sql(table: str, quote: Any, connection: Any) -> tuple[str, list[Any]]:
    """Return ``within()`` as a condition of SQL written by hand, and its parameters.

    Args:
        table: the table of the registry, quoted.
        quote: quotes the name of a column.
        connection: the registry's.
    """
    reasons = in_force()
    if not reasons:
        return "", []
    compiler = UserSession.objects.using(connection.alias).query.get_compiler(connection.alias)
    now, parameters = compiler.compile(db.Now())
    ends_at, ends_by = f"{table}.{quote('ends_at')}", f"{table}.{quote('ends_by')}"
    marks = ", ".join(["%s"] * len(reasons))
    condition = f" AND ({ends_at} IS NULL OR {ends_at} > {now} OR {ends_by} NOT IN ({marks}))"
    return condition, [*parameters, *reasons]
