"""What watching browsers costs and finds: AWAY_SECONDS and ON_SHARED.

    .venv/bin/python -m benchmarks.browsers writes --browsers 5000 --pages 20
    .venv/bin/python -m benchmarks.browsers copies --tries 100

`writes` lets browsers go from page to page, each time to one of two nodes, and counts the rows
of the registry that PostgreSQL has changed: one for each that comes, none for a page, one for
each that leaves for good. `copies` copies cookies into a second Chromium context, and says how
long after its page was open both were told.
"""

import argparse
import asyncio
import json
import os
import random
import time
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
from playwright.async_api import async_playwright
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.measure import load
from tests.helpers.crowd import gather, name_of
from tests.helpers.http_client import HttpClient
from tests.servers.chromium import launch_chromium
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.site.people import PASSWORD, credentials

PATH = "/ws/live-single-session/"
TABLE = "live_single_session_usersession"
CHANGED = f"SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = '{TABLE}'"
AT_ONCE = 50  # browsers that go to their next page
AWAY = 7200  # long enough that no bulk statement falls into the run, which would hide the rest
LEAVING = 20  # seconds until it is written who has left


class Site:
    """Two nodes over PostgreSQL and Redis."""

    def __init__(self, stack: ExitStack, users: int, policy: dict[str, object]) -> None:
        redis, postgres = RedisServer(), PostgresServer()
        for server in (redis, postgres):
            stack.callback(server.close)
            server.start()
        databases = SiteDatabases(postgres)
        self.url = databases.url(databases.create())
        if users:
            gather(users, self.url)
        env: dict[str, object] = {
            "DATABASE_URL": self.url,
            "REDIS_URL": redis.url,
            "CHANNEL_LAYER": "pubsub",
            "LIVE_SINGLE_SESSION": policy,
        }
        self.nodes = [Daphne("tests.asgi:application", env) for _ in range(2)]
        for node in self.nodes:
            stack.callback(node.close)
            node.start()

    async def changed(self) -> int:
        """How many rows of the registry were changed so far; statistics come late."""
        await asyncio.sleep(2)
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            (number,) = await (await connection.execute(CHANGED)).fetchone() or (0,)
            return int(number)


async def count_writes(browsers: int, pages: int) -> None:
    with ExitStack() as stack:
        site = await asyncio.to_thread(Site, stack, browsers, {"AWAY_SECONDS": AWAY})
        turns = asyncio.Semaphore(AT_ONCE)
        cookies: list[str] = []
        pages_open: dict[str, ClientConnection] = {}

        async def sign_in(number: int) -> None:
            async with turns:
                client = HttpClient(120)
                data = {"username": name_of(number), "password": PASSWORD}
                port = random.choice(site.nodes).port
                answer = await client.post(port, "/async/api/login/", data)
                assert answer.status == 200, answer.body
                cookies.append(client.cookie_header)
                client.close()

        async def go_on(cookie: str) -> None:
            """Leave a page for the next one, on either node."""
            async with turns:
                if cookie in pages_open:
                    await pages_open.pop(cookie).close()
                node = random.choice(site.nodes)
                page = pages_open[cookie] = await connect(
                    f"ws://127.0.0.1:{node.port}{PATH}",
                    additional_headers={"Cookie": cookie},
                    origin=node.url,  # type: ignore[arg-type]
                    open_timeout=120,
                    ping_interval=None,
                )
                await page.recv()

        await asyncio.gather(*map(sign_in, range(browsers)))
        before = await site.changed()
        print(f"{browsers} browsers, load {load()}", flush=True)
        for page in range(pages):
            await asyncio.gather(*map(go_on, cookies))
            print(f"page {page + 1}: {await site.changed() - before} rows", flush=True)
        await asyncio.gather(*(page.close() for page in pages_open.values()))
        await asyncio.sleep(LEAVING)
        print(f"left for good: {await site.changed() - before} rows", flush=True)


async def find_copies(tries: int, at_once: int) -> None:
    with ExitStack() as stack:
        policy = {"ON_SHARED": "end", "LIMIT": None}
        site = await asyncio.to_thread(Site, stack, 0, policy)
        turns, seconds = asyncio.Semaphore(at_once), []
        async with async_playwright() as playwright:
            chromium = await launch_chromium(playwright)

            async def attempt(number: int) -> None:
                async with turns:
                    seconds.append(await _seconds_to_find(site, chromium, number))
                    print(f"{len(seconds)}: {seconds[-1]:.1f} s", flush=True)

            await asyncio.gather(*map(attempt, range(tries)))
        ordered = sorted(seconds)
        print(
            f"{len(ordered)} copies found, load {load()}: p50 {ordered[tries // 2]:.1f} s, "
            f"most {ordered[-1]:.1f} s"
        )


async def _seconds_to_find(site: Site, chromium: Any, number: int) -> float:
    node = site.nodes[number % 2]
    owner, thief = [await chromium.new_context() for _ in range(2)]
    data = json.dumps(credentials("alice"))
    assert (await owner.request.post(f"{node.url}/api/login/", data=data)).ok
    await thief.add_cookies(await owner.cookies())
    pages = [await context.new_page() for context in (owner, thief)]
    ready: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def note(socket: Any) -> None:
        def hear(frame: Any) -> None:
            if not ready.done():
                ready.set_result(time.monotonic())

        socket.on("framereceived", hear)

    pages[1].on("websocket", note)
    for page in pages:
        await page.goto(f"{node.url}/private/")
    begun = await asyncio.wait_for(ready, 120)
    for page in pages:
        dialog = page.get_by_role("alertdialog")
        await dialog.wait_for(timeout=60_000)
        assert "Two browsers" in await dialog.inner_text()
    passed = time.monotonic() - begun
    for context in (owner, thief):
        await context.close()
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    writes = commands.add_parser("writes")
    writes.add_argument("--browsers", type=int, default=5000)
    writes.add_argument("--pages", type=int, default=20)
    copies = commands.add_parser("copies")
    copies.add_argument("--tries", type=int, default=100)
    copies.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    with suppress(KeyboardInterrupt):
        if options.command == "writes":
            asyncio.run(count_writes(options.browsers, options.pages))
        else:
            asyncio.run(find_copies(options.tries, options.at_once))


if __name__ == "__main__":
    main()
