"""Invariant 2 for what stays open: websockets of anybody's, and streams."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.redis import RedisServer

PATIENCE = 120  # seconds; a test that gets there has failed
WITHOUT_RECHECK = {"RECHECK_SECONDS": 3600}  # which would hide that a push was never sent


@pytest.fixture
def site(
    redis: RedisServer, site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]
) -> Daphne:
    return start_daphne(
        DATABASE_URL=site_database("sqlite"),
        CHANNEL_LAYER="redis",
        REDIS_URL=redis.url,
        LIVE_SINGLE_SESSION=WITHOUT_RECHECK,
    )


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/clock/"])
async def test_inv2_foreign_websocket_is_closed_at_once(site: Daphne, path: str) -> None:
    """A consumer of somebody who never heard of this package, asynchronous or not."""
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice", "bob") as everybody:
        old, new, bob = everybody
        await old.sign_in()
        await bob.sign_in()
        async with old.socket(path) as chat, bob.socket(path) as bobs_chat:
            await chat.send("hello")
            assert await chat.recv()
            await new.sign_in()
            assert await close_code(chat) == 4001
            await bobs_chat.send("still there?")
            assert await bobs_chat.recv()


async def test_inv2_ended_session_opens_no_foreign_websocket(site: Daphne) -> None:
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        await new.sign_in()
        async with old.socket("/ws/chat/") as chat:
            assert await close_code(chat) == 4001


async def test_inv2_stream_of_django_ends_with_its_session(site: Daphne) -> None:
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice", "bob") as everybody:
        old, new, bob = everybody
        await old.sign_in()
        await bob.sign_in()
        async with (
            old.http.stream("GET", "/stream/") as stream,
            bob.http.stream("GET", "/stream/") as bobs_stream,
        ):
            ticks, bobs_ticks = stream.aiter_lines(), bobs_stream.aiter_lines()
            assert await anext(ticks)
            await new.sign_in()
            async for _tick in ticks:
                pass  # until it ends
            for _ in range(10):
                await anext(bobs_ticks)


async def test_tab_that_was_left_behind_is_told_why(site: Daphne) -> None:
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as first, old.tab() as second:
            await new.sign_in()
            for tab in (first, second):
                told = await hear(tab)
                assert told["reason"] == "superseded"
                assert told["by"]["ip"] is None
                assert await close_code(tab) == 4001
        assert (await old.api()).json()["code"] == "session_ended"
        assert await new.name_seen_by_site() == "alice"


async def test_farewell_is_out_before_its_tab_can_be_dropped(
    site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]
) -> None:
    site = start_daphne(
        "tests.site.last_moment:application",
        DATABASE_URL=site_database("sqlite"),
        LIVE_SINGLE_SESSION=WITHOUT_RECHECK,
    )
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001


async def test_times_are_true_whatever_the_zone_of_the_database_server(
    site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]
) -> None:
    site = start_daphne(DATABASE_URL=site_database("mariadb"))
    async with people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            before = datetime.now(UTC)
            await new.sign_in()
            told = await hear(tab)
            assert before < datetime.fromisoformat(told["at"]) < datetime.now(UTC)
