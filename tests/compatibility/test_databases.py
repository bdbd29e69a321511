"""Invariants 1, 2 and 9 behind a pool of connections, and beside a replica that lags."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresReplica, PostgresServer
from tests.servers.process import running
from tests.servers.redis import RedisServer

PATIENCE = 120  # seconds; a test that gets there has failed
AT_ONCE = 12
RECHECK = 1  # seconds


@pytest.fixture(scope="module")
def pgbouncer(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    with running(PgBouncer(postgres_server)) as server:
        yield server


@pytest.fixture(scope="module")
def replica(postgres_server: PostgresServer) -> Iterator[PostgresReplica]:
    with running(PostgresReplica(postgres_server)) as server:
        yield server


@pytest.mark.drives(
    f"transactions share 4 connections: {AT_ONCE} sign-ins of one user at once in two "
    "processes, sockets, streams",
    "`DISABLE_SERVER_SIDE_CURSORS`, as Django says",
    "PgBouncer",
    "psycopg",
)
async def test_inv1_one_session_is_left_behind_pgbouncer(
    redis: RedisServer,
    site_database: Callable[[str], str],
    pgbouncer: PgBouncer,
    start_daphne: Callable[..., Daphne],
) -> None:
    name = site_database("postgres").rpartition("/")[2]
    env = {
        "DATABASE_URL": pgbouncer.url(name),
        "CHANNEL_LAYER": "pubsub",
        "REDIS_URL": redis.url,
        "LIVE_SINGLE_SESSION": {"RECHECK_SECONDS": RECHECK},
    }
    sites = [start_daphne(**env), start_daphne(**env)]
    async with (
        asyncio.timeout(PATIENCE),
        people(sites[0], "alice", *["bob"] * AT_ONCE) as (alice, *bobs),
    ):
        for number, bob in enumerate(bobs):
            bob.site = sites[number % 2]
        await alice.sign_in()
        async with alice.tab() as tab, alice.socket("/ws/chat/") as chat:
            await asyncio.gather(*(bob.sign_in() for bob in bobs))
            names = [await bob.name_seen_by_site() for bob in bobs]
            assert sorted(filter(None, names)) == ["bob"]
            await asyncio.sleep(3 * RECHECK)
            await asyncio.wait_for(await tab.ping(), PATIENCE)
            await alice.http.post("/async/api/logout/")
            assert (await hear(tab))["reason"] == "logged_out"
            assert await close_code(chat) == 4001
    assert not any("Traceback" in site.log for site in sites)


@pytest.mark.drives(
    "all models are read from a replica that lags behind: a session from before, "
    "a newer sign-in, sockets, re-checks, pages of both",
    "nothing",
    "PostgreSQL",
)
@pytest.mark.parametrize("engine", ["db", "cached_db"])
async def test_inv2_what_decides_is_read_where_it_is_written(
    engine: str,
    redis: RedisServer,
    site_database: Callable[[str], str],
    replica: PostgresReplica,
    start_daphne: Callable[..., Daphne],
) -> None:
    url = site_database("postgres")
    replica.catch_up()
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.compatibility.packages.replica",
        "DATABASE_URL": url,
        "REPLICA_URL": replica.url(url.rpartition("/")[2]),
        "CACHE_URL": redis.url,
        "LIVE_SINGLE_SESSION": {"RECHECK_SECONDS": RECHECK},
    }
    before = start_daphne(**env, SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}")
    site = start_daphne(**env, SESSION_ENGINE=f"live_single_session.backends.{engine}")
    async with asyncio.timeout(PATIENCE), people(before, "alice", "alice") as (old, new):
        await old.sign_in()
        for person in (old, new):
            person.site, person.http.base_url = site, site.url
        replica.catch_up()
        assert await old.name_seen_by_site() == "alice"
        replica.fall_behind()
        try:
            async with old.tab() as tab, old.socket("/ws/chat/") as chat:
                await new.sign_in()
                assert (await hear(tab))["reason"] == "superseded"
                assert await close_code(chat) == 4001
            assert (await old.api()).json()["code"] == "session_ended"
            async with new.tab() as tab:
                assert await new.name_seen_by_site() == "alice"
                await asyncio.sleep(3 * RECHECK)
                await asyncio.wait_for(await tab.ping(), PATIENCE)
                assert (await new.http.get("/session/status/")).json()["live"] is True
                assert await new.name_seen_by_site() == "alice"
        finally:
            replica.catch_up()
        assert [await old.name_seen_by_site(), await new.name_seen_by_site()] == [None, "alice"]
    assert "Traceback" not in site.log
