"""Thousands of people at two nodes, who are superseded all the time: `make load`.

Everybody who is superseded is told, nobody else is, and the limits hold at every moment.
The report is benchmarks/results/load.{json,md}. By default three times: with fewer logins than
two cores can do, with Python's garbage collection as it is and as the page about deployment
advises; and with far more logins, which have to wait.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.crowd import Silent, handshake
from benchmarks.measure import Servers, Site, load, machine
from tests.chaos.witness import Database, digest, quantiles
from tests.helpers.http_client import HttpClient
from tests.site.people import PASSWORD

RESULTS = Path(__file__).parent / "results"
PATH = "/ws/live-single-session/"
RECHECK_SECONDS = 30
AT_ONCE = 32  # handshakes and logins under way
# Logins per second, and how Python collects garbage: see ``benchmarks.site.asgi``.
RUNS = [(15.0, "as Python does"), (15.0, "rarely"), (100.0, "rarely")]


class Tab(Silent):
    """One tab, which notes when it is told."""

    __slots__ = ("cookie", "lost", "port", "reason", "told", "told_at")

    def __init__(self, cookie: str, port: int, lost: Callable[["Tab"], None]) -> None:
        super().__init__(handshake(port, PATH, cookie))
        self.cookie = cookie
        self.port = port
        self.lost = lost
        self.told_at: float | None = None
        self.reason = ""
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if b"session.ended" in data and self.told_at is None:
            self.told_at = time.monotonic()
            self.told.set_result(None)
            start = data.index(b'"reason": "') + 11
            self.reason = data[start : data.index(b'"', start)].decode()
            if not self.ready.done():
                self.ready.set_result(None)
        super().data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.told_at is None:
            self.lost(self)


class Load:
    def __init__(self, sites: list[Site], database: Database) -> None:
        self.sites = sites
        self.database = database
        self.tabs: dict[int, Tab] = {}  # by user
        self.left: list[tuple[Tab, float]] = []  # superseded, and since when
        self.failures: list[str] = []
        self.seconds_to_login: list[float] = []
        self.over: list[str] = []
        self.checks = 0
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.busy: set[int] = set()
        self.lost = 0
        self.coming_back: set[asyncio.Task[Any]] = set()
        self.is_over = False

    async def open(self, user: int, cookie: str) -> None:
        port = random.choice(self.sites).port
        loop = asyncio.get_running_loop()
        _, tab = await loop.create_connection(
            lambda: Tab(cookie, port, self.come_back), "127.0.0.1", port
        )
        await tab.ready
        self.tabs[user] = tab

    def come_back(self, tab: Tab) -> None:
        """Open a connection again that was lost without a word, as the script does."""
        if self.is_over or tab.ready.exception() is not None:
            return
        self.lost += 1
        loop = asyncio.get_running_loop()
        opening = loop.create_connection(lambda: tab, "127.0.0.1", tab.port)
        task = loop.create_task(opening)
        self.coming_back.add(task)
        task.add_done_callback(self.coming_back.discard)

    async def supersede(self, user: int) -> None:
        """The user signs in at another browser, and opens a tab there."""
        async with self.turns:
            client, began = HttpClient(timeout=60), time.monotonic()
            body = {"username": f"user{user}", "password": PASSWORD}
            try:
                port = random.choice(self.sites).port
                answer = await client.post(port, "/async/login/", body)
                if answer.status != 200:
                    raise ConnectionError(f"status {answer.status}")
                self.seconds_to_login.append(time.monotonic() - began)
                self.left.append((self.tabs.pop(user), began))
                await self.open(user, client.cookies["sessionid"])
            except Exception as error:
                self.failures.append(f"user{user}: {error!r}")
            finally:
                client.close()
                self.busy.discard(user)

    async def check_limits(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(0.2, 1))
            self.over += [str(row) for row in await self.database.over_limit(1)]
            self.checks += 1


async def run(
    users: int, logins_per_second: float, seconds: float, collection: str
) -> dict[str, Any]:
    with ExitStack() as stack:
        servers = Servers(stack)
        first = servers.site("ours", BENCH_GC=collection)
        second = Site(servers, "ours", first.daphne.env)
        cookies = first.fill(users)
        sites = [first.start(), second.start()]
        database = Database(str(first.daphne.environment()["DATABASE_URL"]))
        crowd = Load(sites, database)
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for user, cookie in enumerate(cookies):
                tasks.create_task(_in_turn(crowd, user, cookie))
        connected = time.monotonic() - began
        print(f"{users} tabs are open after {connected:.0f} s", flush=True)
        witness = asyncio.create_task(crowd.check_limits())
        began = time.monotonic()
        await asyncio.wait(await _keep_up(crowd, users, logins_per_second, seconds))
        took = time.monotonic()
        witness.cancel()
        deadline = asyncio.get_running_loop().time() + 2 * RECHECK_SECONDS
        for tab, _ in crowd.left:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await tab.told
        print(f"all told {time.monotonic() - took:.1f} s after the last login", flush=True)
        violations = await _verdict(crowd)
        if violations:
            for number, site in enumerate(sites, 1):
                (RESULTS / f"load-node-{number}.log").write_text(site.daphne.log)
        crowd.is_over = True
        told = [tab.told_at - at for tab, at in crowd.left if tab.told_at is not None]
        await database.close()
        return {
            "users": users,
            "seconds": seconds,
            "garbage collection": collection,
            "logins": len(crowd.seconds_to_login),
            "logins per second": len(crowd.seconds_to_login) / (took - began),
            "wanted per second": logins_per_second,
            "seconds until all had signed in": took - began,
            "seconds to connect all": connected,
            "superseded": len(crowd.left),
            "told": len(told),
            "connections lost without a word": crowd.lost,
            "told by the re-check": sum(one > RECHECK_SECONDS / 2 for one in told),
            "seconds to log in": quantiles(crowd.seconds_to_login),
            "seconds from login to being told": quantiles(told),
            "checks of the limits": crowd.checks,
            "nodes": [
                {"cpu seconds": site.cpu_seconds, "MiB": site.resident >> 20} for site in sites
            ],
            "failures": crowd.failures[:20],
            "violations": violations,
        }


async def _in_turn(crowd: Load, user: int, cookie: str) -> None:
    async with crowd.turns:
        await crowd.open(user, cookie)


async def _keep_up(
    crowd: Load, users: int, logins_per_second: float, seconds: float
) -> set[asyncio.Task[None]]:
    """Start logins at an even pace, whether or not the site keeps up."""
    started: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        due = int((now - began) * logins_per_second) - len(started)
        for _ in range(due):
            user = random.randrange(users)
            if user not in crowd.busy and user in crowd.tabs:
                crowd.busy.add(user)
                started.add(asyncio.create_task(crowd.supersede(user)))
        await asyncio.sleep(0.01)
    return started


async def _verdict(crowd: Load) -> list[str]:
    found = [f"over the limit: {row}" for row in crowd.over[:10]]
    found += [f"over the limit at the end: {row}" for row in await crowd.database.over_limit(1)]
    rows = {key: row for row, key in await crowd.database.rows()}
    for tab, _ in crowd.left:
        if tab.told_at is None:
            state = "closed" if tab.transport is None else "open"
            found.append(f"not told: {rows.get(digest(tab.cookie))}, its socket is {state}")
        elif tab.reason != "superseded":
            found.append(f"told {tab.reason}")
    for tab in crowd.tabs.values():
        row = rows.get(digest(tab.cookie))
        if tab.told_at is not None or tab.transport is None or row is None or not row.live:
            found.append(f"signed out wrongly: {row}, told {tab.reason!r}")
    client = HttpClient()
    some = random.sample(crowd.left, min(200, len(crowd.left)))
    for tab, _ in some:
        client.cookies = {"sessionid": tab.cookie}
        answer = await client.get(crowd.sites[0].port, "/session/status/")
        if answer.status != 401:
            found.append(f"an ended session is answered {answer.status}")
    client.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--logins", type=float, help="per second")
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    runs = []
    for logins, collection in [(options.logins, "rarely")] if options.logins else RUNS:
        before = load()
        found = asyncio.run(run(options.users, logins, options.seconds, collection))
        runs.append(found | {"load before": before})
        print(json.dumps(found, indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    result = {"machine": machine(), "runs": runs}
    (RESULTS / "load.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "load.md").write_text(_report(result))
    sys.exit(any(found["violations"] for found in runs))


def _row(found: dict[str, Any]) -> dict[str, Any]:
    told, login = found["seconds from login to being told"], found["seconds to log in"]
    return {
        "people with an open tab, at two nodes": f"{found['users']:,}",
        "logins that were asked for": f"{found['wanted per second']:g} per second, "
        f"for {found['seconds']:g} s",
        "garbage collection": found["garbage collection"],
        "logins": f"{found['logins']:,}, {found['logins per second']:.0f} per second",
        "superseded": f"{found['superseded']:,}",
        "told": f"{found['told']:,}",
        "connections lost without a word, and opened again": found[
            "connections lost without a word"
        ],
        "told by the re-check rather than the push": found["told by the re-check"],
        "seconds from login to old tab": f"{told['p50']:.3f}, p99 {told['p99']:.3f}, "
        f"at most {told['max']:.3f}",
        "p99 / median": f"{told['p99'] / told['p50']:.1f}" if told["p50"] else "",
        "seconds to log in": f"{login['p50']:.3f}, p99 {login['p99']:.3f}",
        "seconds until all had connected": f"{found['seconds to connect all']:.0f}",
        "checks of the limits meanwhile": found["checks of the limits"],
        "logins that failed": len(found["failures"]),
        "violations": len(found["violations"]),
        "load average before": found["load before"],
    }


def _report(result: dict[str, Any]) -> str:
    on, columns = result["machine"], [_row(found) for found in result["runs"]]
    lines = [
        "# Load",
        "",
        "Made by `make load`. Where more logins are asked for than the machine can do, they",
        f"wait: {AT_ONCE} are under way at a time.",
        "",
        "| |" + " |" * len(columns),
        "| --- |" + " ---: |" * len(columns),
    ]
    lines += [
        f"| {name} | " + " | ".join(str(column[name]) for column in columns) + " |"
        for name in columns[0]
    ]
    violations = [text for found in result["runs"] for text in found["violations"]]
    lines += ["", *(f"- {text}" for text in violations[:20]), ""]
    lines += [
        f"<sub>{on['date']}; {on['cores']} cores ({on['processor']}), which the people share "
        f"with the nodes, PostgreSQL and Redis; {on['system']}, Python {on['python']}</sub>",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
