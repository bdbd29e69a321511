"""Invariants 4 and 5 while Redis is killed, paused, flushed, restarted and cut off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from live_single_session.realtime.push import MESSAGE_TYPE, group_of
from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.redis import RedisServer
from tests.servers.waiting import await_until

LAYERS = ["redis", "pubsub"]
RECHECK_SECONDS = 2
PATIENCE = 120  # seconds; a test that gets there has failed


@pytest.fixture(params=LAYERS)
def site(
    request: pytest.FixtureRequest,
    redis: RedisServer,
    site_database: Callable[[str], str],
    start_daphne: Callable[..., Daphne],
) -> Daphne:
    return start_daphne(
        DATABASE_URL=site_database("sqlite"),
        CHANNEL_LAYER=request.param,
        REDIS_URL=redis.url,
        LIVE_SINGLE_SESSION={"RECHECK_SECONDS": RECHECK_SECONDS, "PUSH_TIMEOUT_SECONDS": 1},
    )


def kill(redis: RedisServer) -> None:
    redis.kill()


def restore_killed(redis: RedisServer) -> None:
    redis.restart()


def pause(redis: RedisServer) -> None:
    redis.pause()


def resume(redis: RedisServer) -> None:
    redis.resume()


def nothing(redis: RedisServer) -> None:
    pass


FAULTS = {
    "killed": (kill, restore_killed),
    "paused": (pause, resume),
    "flushed": (RedisServer.flush, nothing),
    "cut": (RedisServer.cut_connections, nothing),
    "restarted": (RedisServer.restart, nothing),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_inv4_tab_is_told_whatever_happened_to_redis(
    site: Daphne, redis: RedisServer, fault: str
) -> None:
    strike, mend = FAULTS[fault]
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice", "bob") as everybody:
        old, new, bob = everybody
        await old.sign_in()
        await bob.sign_in()
        async with old.tab() as old_tab, bob.tab() as bobs_tab:
            await asyncio.to_thread(strike, redis)
            await new.sign_in()  # invariant 5: nothing of it reaches the login
            async with new.tab():  # a new socket is not refused
                assert (await old.api()).json()["reason"] == "superseded"
                await asyncio.to_thread(mend, redis)
                told = await hear(old_tab)
                assert (told["type"], told["reason"]) == ("session.ended", "superseded")
                assert await close_code(old_tab) == 4001
                assert bobs_tab.state.name == "OPEN"


@pytest.mark.parametrize("fault", FAULTS)
async def test_inv4_tabs_hear_the_layer_again_after_redis_is_back(
    site: Daphne, redis: RedisServer, fault: str
) -> None:
    """Not deaf: what no re-check could find out arrives, since it is only ever pushed."""
    strike, mend = FAULTS[fault]
    async with asyncio.timeout(PATIENCE), people(site, "alice") as (alice,):
        await alice.sign_in()
        async with alice.socket() as tab:
            session_id = (await hear(tab))["session"]
            await asyncio.to_thread(strike, redis)
            await asyncio.to_thread(mend, redis)
            async with pretending(redis, site, session_id):
                assert (await hear(tab))["reason"] == "revoked"
            assert await alice.name_seen_by_site() == "alice"


@pytest.mark.parametrize("site", ["pubsub"], indirect=True)
async def test_a_tab_outlives_redis_without_a_traceback_of_our_making(
    site: Daphne, redis: RedisServer
) -> None:
    """The pub/sub layer logs one when somebody stops to receive while Redis is away."""
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            await asyncio.to_thread(redis.kill)
            await await_until(lambda: "it is tried again" in site.log, "a failure")
            await asyncio.to_thread(redis.restart)
            await await_until(lambda: "layer works again" in site.log, "the recovery")
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
    assert "cleaning-up channel" not in site.log


@asynccontextmanager
async def pretending(redis: RedisServer, site: Daphne, session_id: str) -> AsyncIterator[None]:
    """Send the message that a session has ended, which it has not, again and again."""
    kind = {"redis": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
    layer = kind[site.environment()["CHANNEL_LAYER"]](hosts=[redis.url])
    notice = {"session": session_id, "reason": "revoked"}
    message = {"type": MESSAGE_TYPE, "version": 1, "ended": [notice]}

    heard = asyncio.Event()  # a cancellation may get lost in Redis's client

    async def send() -> None:
        while not heard.is_set():
            await layer.group_send(group_of(1, "default"), message)
            await asyncio.sleep(0.1)

    sender = asyncio.create_task(send())
    try:
        yield
    finally:
        heard.set()
        await asyncio.wait({sender})
        await (layer.close_pools() if hasattr(layer, "close_pools") else layer.flush())
