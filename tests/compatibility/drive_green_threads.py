"""Invariants 4 and 10 where green threads share a thread: gevent's and eventlet's."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.helpers.people import Person, hear, people
from tests.servers.daphne import Daphne
from tests.servers.postgres import PostgresServer
from tests.servers.process import ROOT
from tests.servers.redis import RedisServer
from tests.site.people import PASSWORD, credentials

PATIENCE = 180  # seconds; a test that gets there has failed
LATENCY = 0.3  # seconds, added on the way to Redis
LOGINS, PAGES, AT_ONCE = 50, 200, 5
NAMES = [f"person{number}" for number in range(AT_ONCE)]


class Gevent(Daphne):
    """Gunicorn's worker of gevent."""

    name = "gunicorn"
    ready_text = "Booting worker"

    def command(self) -> list[str]:
        worker = ["--worker-class", "gevent", "--workers", "1"]
        bind = ["--bind", f"127.0.0.1:{self.port}"]
        return [sys.executable, "-m", "gunicorn", *worker, *bind, "tests.wsgi:application"]


class Eventlet(Daphne):
    """Eventlet's own server; gunicorn has a worker of it no more."""

    name = "eventlet"
    ready_text = "wsgi starting up"

    def command(self) -> list[str]:
        module = "tests.compatibility.packages.eventlet_site"
        return [sys.executable, "-m", module, str(self.port)]


@asynccontextmanager
async def far_away(port: int) -> AsyncIterator[int]:
    """Yield the port of a proxy that delays whatever goes to another one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, wait: float):
            while data := await source.read(65_536):
                await asyncio.sleep(wait)
                target.write(data)
            target.close()

        await asyncio.gather(
            copy(reader, to_them, LATENCY), copy(theirs, writer, 0), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, site_database: Callable[[str], str]) -> str:
    return site_database("postgres")


@pytest.fixture
def start_green(request: pytest.FixtureRequest) -> Iterator[Callable[..., Daphne]]:
    started: list[Daphne] = []

    def start(**env: str) -> Daphne:
        started.append(request.param(env=env))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        print(server.log)
        server.close()


def sign_up(names: list[str], env: dict[str, str]) -> None:
    make = "from django.contrib.auth.models import User\n" + "\n".join(
        f"User.objects.create_user({name!r}, password={PASSWORD!r})" for name in names
    )
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "CHANNEL_LAYER": "inmemory"}
    command = [sys.executable, "-m", "django", "shell", "-c", make]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **env, **settings}, check=True)


async def sign_in(person: Person) -> None:
    response = await person.http.post("/api/login/", json=credentials(person.name))
    assert response.status_code == 200, response.text


DRIVEN = (
    f"Redis {1000 * LATENCY:.0f} ms away: {PAGES} pages of others while {LOGINS} sign-ins run, "
    f"{AT_ONCE} at once"
)


@pytest.mark.parametrize(
    "start_green",
    [
        pytest.param(server, marks=pytest.mark.drives(DRIVEN, "nothing", *names), id=names[0])
        for server, *names in [(Gevent, "gevent", "gunicorn"), (Eventlet, "eventlet")]
    ],
    indirect=True,
)
async def test_inv10_others_pages_are_served_while_tabs_are_told(
    redis: RedisServer,
    postgres_url: str,
    start_daphne: Callable[..., Daphne],
    start_green: Callable[..., Daphne],
) -> None:
    env = {"DATABASE_URL": postgres_url, "CHANNEL_LAYER": "pubsub"}
    sockets = start_daphne(**env, REDIS_URL=redis.url)
    told: list[float] = []
    statuses: Counter[int] = Counter()
    async with (
        asyncio.timeout(PATIENCE),
        far_away(redis.port) as port,
        AsyncExitStack() as stack,
    ):
        loop = asyncio.get_running_loop()
        slow = {**env, "REDIS_URL": f"redis://127.0.0.1:{port}/0"}
        await loop.run_in_executor(None, sign_up, NAMES, env)
        site = await loop.run_in_executor(None, lambda: start_green(**slow))
        bob, *_ = await stack.enter_async_context(people(site, "bob"))
        await sign_in(bob)
        await asyncio.sleep(10 * LATENCY)  # it connects to Redis

        async def one_after_the_other(name: str) -> None:
            old = await stack.enter_async_context(people(site, name))
            await sign_in(old[0])
            for _ in range(LOGINS // AT_ONCE):
                new = await stack.enter_async_context(people(site, name))
                tab = Person(sockets, name)
                tab.http.cookies = old[0].http.cookies
                async with tab.tab() as socket:
                    await sign_in(new[0])
                    answered = time.monotonic()
                    assert (await hear(socket))["reason"] == "superseded"
                    told.append(time.monotonic() - answered)
                await tab.http.aclose()
                old = new

        async def pages() -> None:
            for _ in range(PAGES // 4):
                statuses[(await bob.http.get("/private/")).status_code] += 1

        await asyncio.gather(*map(one_after_the_other, NAMES), *(pages() for _ in range(4)))
    assert statuses == {200: PAGES}
    assert len(told) == LOGINS
    print(f"told {max(told):.2f} s after the sign-in was answered, at the latest")
    assert max(told) < 1
