"""What is true, seen from outside: in the database, and in what people were told."""

import asyncio
import hashlib
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from django.contrib.sessions.backends.signed_cookies import SessionStore

SESSION_ID_KEY = "_live_single_session"
LIVE_PER_SLOT = """
    SELECT user_id, slot, count(*) FROM live_single_session_usersession
    WHERE ended_at IS NULL GROUP BY user_id, slot HAVING count(*) > %s
"""
ROW = """
    SELECT id, ended_at IS NULL, end_reason, key_digest FROM live_single_session_usersession
"""


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def is_signed(cookie: str) -> bool:
    """Whether this is a cookie of the engine that keeps the session in the cookie itself."""
    return cookie.count(":") == 2


def id_in(cookie: str) -> str:
    """The id that such a cookie carries."""
    return str(SessionStore(cookie).load()[SESSION_ID_KEY])


@dataclass(frozen=True)
class Row:
    id: UUID
    live: bool
    reason: str


class Database:
    """Looks into the site's database, without the site."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("postgres://", "postgresql://")
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def query(self, sql: str, *parameters: Any) -> list[Any]:
        """Ask.

        Raises:
            psycopg.OperationalError: the database is away.
        """
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True
                )
            cursor = await self._connection.execute(sql, parameters)
            return await cursor.fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def over_limit(self, limit: int) -> list[Any]:
        return await self.query(LIVE_PER_SLOT, limit)

    async def rows(self) -> list[tuple[Row, str | None]]:
        """All sessions, and the digests of their keys."""
        return [(Row(*row[:3]), row[3]) for row in await self.query(ROW)]

    async def of_session(self, session_id: str) -> Row | None:
        rows = await self.query(ROW + "WHERE id = %s", session_id)
        return Row(*rows[0][:3]) if rows else None

    async def of_cookie(self, cookie: str) -> Row | None:
        if is_signed(cookie):
            return await self.of_session(id_in(cookie))
        rows = await self.query(ROW + "WHERE key_digest = %s", digest(cookie))
        return Row(*rows[0][:3]) if rows else None

    async def has_session(self, key: str) -> bool:
        """Whether Django's table has a session with this key."""
        query = "SELECT 1 FROM django_session WHERE session_key = %s"
        return bool(await self.query(query, key))

    async def patient(self, question: Any, *parameters: Any) -> Any:
        """Ask until there is an answer: `await database.patient(database.of_session, id)`."""
        while True:
            try:
                return await question(*parameters)
            except psycopg.Error:
                await asyncio.sleep(0.2)


@dataclass
class Journal:
    """What happened to everybody, and what must not have."""

    began: float = field(default_factory=time.monotonic)
    logins: int = 0
    refused: int = 0  # logins that failed while a fault explains it
    requests: int = 0
    rotations: int = 0
    lost: int = 0  # sessions that a fault cost, as it would with Django alone
    told: int = 0
    checks: int = 0
    unsure: int = 0  # answers that a fault explains
    unhindered_logins: list[tuple[float, float]] = field(default_factory=list)  # began, took
    answers: list[tuple[float, float]] = field(default_factory=list)  # requests: since, until
    seconds_to_login: list[float] = field(default_factory=list)
    seconds_to_tell: list[float] = field(default_factory=list)
    seconds_until_all_knew: float | None = None  # if ever
    unfinished: int = 0
    faults: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def violation(self, text: str) -> None:
        self.violations.append(f"{time.monotonic() - self.began:6.1f} s: {text}")


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """The median, the 99th percentile and the maximum."""
    if not values:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"p50": statistics.median(ordered), "p99": p99, "max": ordered[-1]}


async def gone(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, and wait until it is over."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
