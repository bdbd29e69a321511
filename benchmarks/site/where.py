"""Tells where the time of a request goes: `... PATH BODY REQUESTS`; the body is posted.

Prints, as JSON, the milliseconds of each of its queries, and those before it in which it is
built and everything else happens: medians, in the order in which the queries are made.
"""

import asyncio
import json
import sys
import time
from statistics import median
from typing import Any

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
WARM = 20


def name_of(sql: str) -> str:
    """The verb of a query, its first table, and whether it locks."""
    words = sql.replace('"', " ").replace(".", " ").split()
    verb = next((word for word in words if word in VERBS), words[0])
    table = next((word for word in words if word.islower() and word.count("_")), "")
    return f"{verb} {table}{' FOR UPDATE' if ' UPDATE SKIP' in sql else ''}".strip()


class Stopwatch:
    """Times the queries of one request at a time."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float, float]] = []
        self._last = 0.0

    def start(self) -> None:
        self.steps, self._last = [], time.perf_counter()

    def stop(self) -> list[tuple[str, float, float]]:
        self.steps.append(("the answer", 1000 * (time.perf_counter() - self._last), 0.0))
        return self.steps

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            ended = time.perf_counter()
            built, ran = 1000 * (began - self._last), 1000 * (ended - began)
            self.steps.append((name_of(str(sql)), built, ran))
            self._last = ended


async def time_requests(path: str, body: str, requests: int) -> list[list[Any]]:
    from django.db.backends.signals import connection_created
    from django.test import AsyncClient

    stopwatch, runs = Stopwatch(), []

    def watch(connection: Any, **kwargs: Any) -> None:
        if stopwatch not in connection.execute_wrappers:
            connection.execute_wrappers.append(stopwatch)

    connection_created.connect(watch)
    for _ in range(requests):
        client = AsyncClient()
        client.handler.load_middleware(is_async=True)
        stopwatch.start()
        answer = await client.post(path, body, content_type="application/json")
        runs.append(stopwatch.stop())
        assert answer.status_code == 200, answer.content
    return runs


def main(path: str, body: str, requests: str) -> None:
    import django

    django.setup()
    runs = asyncio.run(time_requests(path, body, WARM + int(requests)))[WARM:]
    print(
        json.dumps(
            [
                (same[0][0], median(step[1] for step in same), median(step[2] for step in same))
                for same in zip(*runs, strict=True)
            ]
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
