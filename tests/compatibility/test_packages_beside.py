"""Invariants 7 and 10 beside packages that look on, cache, subscribe, or bring users."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compatibility.test_other_packages import Site
from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.redis import RedisServer

PATIENCE = 60  # seconds; a test that gets there has failed


@pytest.fixture
def site_with(tmp_path: Path, start_daphne: Callable[..., Daphne]) -> Callable[..., Site]:
    return lambda settings: Site(settings, tmp_path, start_daphne)


@pytest.mark.drives(
    "sign-ins, an end, pages and a view that fails; all that they store or send was read",
    "nothing, for keys of sessions; see [security](security.md) for Sentry",
    "django-debug-toolbar",
    "django-silk",
    "sentry-sdk",
    "opentelemetry-sdk",
)
async def test_inv7_who_looks_on_sees_no_live_key(
    site_with: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVED", str(tmp_path))
    site = site_with("observers").start()
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
        page = await new.http.get("/private/", headers={"Accept": "text/html"})
        assert "djDebug" in page.text
        assert (await new.http.get("/failing/")).status_code == 500
        assert (await old.http.get("/failing/")).status_code == 401
        keys = [person.http.cookies["sessionid"] for person in (new,)]
    site.stop()
    kept = (tmp_path / "spans").read_text() + (tmp_path / "sentry").read_text()
    assert "a view that fails" in kept
    with sqlite3.connect(tmp_path / "site.sqlite3") as database:
        queries = database.execute("select query from silk_sqlquery").fetchall()
    assert queries
    for key in keys:
        assert key not in kept


@pytest.mark.drives(
    "a session that expires, and a newer sign-in, under the re-check",
    "nothing",
    "django-cachalot",
)
async def test_inv4_a_cache_of_queries_blinds_no_recheck(
    site_with: Callable[..., Site], redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_URL", redis.url)
    monkeypatch.setenv("LIVE_SINGLE_SESSION", json.dumps({"RECHECK_SECONDS": 0.5}))
    site = site_with("cachalot").start()
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            assert (await hear(tab))["reason"] == "expired"
        await old.sign_in()
        await new.sign_in()
        assert [await old.name_seen_by_site(), await new.name_seen_by_site()] == [None, "alice"]


@pytest.mark.drives(
    "a subscription over a websocket, ended by a newer sign-in",
    "the stack around its consumers",
    "strawberry-graphql",
    "channels",
)
async def test_inv2_a_subscription_ends_with_its_session(
    start_daphne: Callable[..., Daphne], site_database: Callable[[str], str]
) -> None:
    site = start_daphne(
        "tests.compatibility.packages.strawberry:application",
        DATABASE_URL=site_database("sqlite"),
    )
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.socket("/graphql/", subprotocol="graphql-transport-ws") as graphql:
            await graphql.send(json.dumps({"type": "connection_init"}))
            await hear(graphql)
            query = {"query": "subscription { ticks }"}
            await graphql.send(json.dumps({"id": "1", "type": "subscribe", "payload": query}))
            assert (await hear(graphql))["payload"]["data"] == {"ticks": "alice"}
            await new.sign_in()
            assert await close_code(graphql) == 4001
    assert "Traceback" not in site.log


@pytest.mark.drives("a polymorphic user who signs in twice", "nothing", "django-polymorphic")
async def test_inv1_a_polymorphic_user_has_one_session(site_with: Callable[..., Site]) -> None:
    site = site_with("polymorphic").start()
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
        assert [await old.name_seen_by_site(), await new.name_seen_by_site()] == [None, "alice"]
