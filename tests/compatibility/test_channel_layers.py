"""Invariants 4 and 5 with other channel layers: Redis behind a sentinel, PostgreSQL."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.helpers.people import Person, close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.process import ROOT, running
from tests.servers.redis import RedisServer
from tests.servers.sentinel import MASTER, RedisReplica, Sentinel
from tests.servers.waiting import await_until, wait_until
from tests.servers.web_servers import Gunicorn

PATIENCE = 120  # seconds; a test that gets there has failed
NO_RECHECK = {"RECHECK_SECONDS": 3600}  # it would hide that a push was never sent


async def supersede(old: Person, new: Person, path: str = "/async/api/login/") -> None:
    """Let the tab of one browser hear that the other one has signed in."""
    async with old.tab() as tab:
        await new.sign_in(path)
        assert (await hear(tab))["reason"] == "superseded"
        assert await close_code(tab) == 4001


@pytest.fixture
def master() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def replica(master: RedisServer) -> Iterator[RedisReplica]:
    with running(RedisReplica(master)) as server:
        yield server


@pytest.fixture
def sentinel(master: RedisServer, replica: RedisReplica) -> Iterator[Sentinel]:
    with running(Sentinel(master)) as server:
        wait_until(server.knows_a_replica, "the sentinel to find the replica")
        yield server


@pytest.mark.drives(
    "the master is killed and a replica takes over: sign-ins before, while and after it, by "
    "both layers of channels_redis",
    'hosts: `[{"sentinels": [...], "master_name": "..."}]`',
    "Redis Sentinel",
    "channels_redis",
)
@pytest.mark.parametrize("layer", ["redis", "pubsub"])
async def test_inv4_tabs_are_told_after_a_fail_over(
    layer: str,
    master: RedisServer,
    replica: RedisReplica,
    sentinel: Sentinel,
    site_database: Callable[[str], str],
    start_daphne: Callable[..., Daphne],
) -> None:
    hosts = [{"sentinels": [["127.0.0.1", sentinel.port]], "master_name": MASTER}]
    site = start_daphne(
        DATABASE_URL=site_database("sqlite"),
        CHANNEL_LAYER=layer,
        CHANNEL_LAYER_CONFIG={"hosts": hosts},
        LIVE_SINGLE_SESSION=NO_RECHECK,
    )
    async with (
        asyncio.timeout(PATIENCE),
        people(site, *["alice"] * 3, *["bob"] * 2) as (first, second, third, bob, other_bob),
        AsyncExitStack() as stack,
    ):
        await first.sign_in()
        await supersede(first, second)
        await bob.sign_in()
        bobs_tab = await stack.enter_async_context(bob.tab())

        master.kill()
        await third.sign_in()
        assert await second.name_seen_by_site() is None
        await await_until(
            lambda: sentinel.port_of_master() == replica.port, "the replica to take over", 60
        )
        await await_until(
            lambda: "works again" in site.log or replica.has_subscribers(),
            "the site to find the new master",
            60,
        )

        await other_bob.sign_in()
        assert (await hear(bobs_tab))["reason"] == "superseded"
        await supersede(third, first)


@pytest.fixture
def layer_in_postgres(site_database: Callable[[str], str]) -> dict[str, str]:
    """The environment of a site whose database has the tables of the layer."""
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.compatibility.packages.layer_in_postgres",
        "DATABASE_URL": site_database("postgres"),
        "LIVE_SINGLE_SESSION": json.dumps(NO_RECHECK),
    }
    migrate = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
    subprocess.run(migrate, cwd=ROOT, env={**os.environ, **env}, check=True)
    return env


@pytest.mark.drives(
    "sign-ins in one process, tabs in another; under ASGI and WSGI",
    'a database `"channels_postgres"` in `DATABASES`, as its own pages say',
    "channels_postgres",
    "channels",
)
async def test_inv4_tabs_are_told_through_postgres(
    layer_in_postgres: dict[str, str], start_daphne: Callable[..., Daphne]
) -> None:
    env = layer_in_postgres
    sockets, pages = start_daphne(**env), start_daphne(**env)
    with running(Gunicorn("tests.wsgi:application", env)) as wsgi:
        async with (
            asyncio.timeout(PATIENCE),
            people(pages, *["alice"] * 3) as (first, second, third),
        ):
            await first.sign_in()
            first.site = second.site = sockets
            await supersede(first, second)
            third.http.base_url = wsgi.url
            await supersede(second, third, "/api/login/")
    assert "Traceback" not in sockets.log + pages.log + wsgi.log
