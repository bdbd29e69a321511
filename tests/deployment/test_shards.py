"""A channel layer on two Redis servers: channels_redis shares the users out among them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import redis as redis_client

from tests.helpers.people import Person, close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.process import running
from tests.servers.redis import RedisServer
from tests.site.people import STAFF, USERS

PATIENCE = 120  # seconds; a test that gets there has failed
NEVER = 100_000  # seconds between re-checks: whoever is told was told by the layer

EVERYBODY = [*USERS, STAFF]


@pytest.fixture(scope="module")
def other_redis_server() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def shards(redis: RedisServer, other_redis_server: RedisServer) -> list[RedisServer]:
    other_redis_server.renew()
    return [redis, other_redis_server]


@pytest.fixture
def start_node(
    shards: list[RedisServer],
    site_database: Callable[[str], str],
    start_daphne: Callable[..., Daphne],
) -> Callable[[str, float], Daphne]:
    database_url = site_database("sqlite")

    def host(shard: RedisServer, layer: str) -> object:
        return {"address": shard.url, "socket_timeout": 30} if layer == "redis" else shard.url

    def start(layer: str, recheck_seconds: float) -> Daphne:
        return start_daphne(
            DATABASE_URL=database_url,
            CHANNEL_LAYER=layer,
            CHANNEL_LAYER_CONFIG={
                "hosts": [host(shard, layer) for shard in shards],
                "capacity": 2000,
            },
            LIVE_SINGLE_SESSION={"RECHECK_SECONDS": recheck_seconds},
        )

    return start


@pytest.mark.parametrize("layer", ["redis", "pubsub"])
async def test_inv4_users_of_every_shard_are_told(layer: str, start_node, shards) -> None:
    here, there = start_node(layer, NEVER), start_node(layer, NEVER)
    async with (
        asyncio.timeout(PATIENCE),
        people(here, *EVERYBODY) as old,
        people(there, *EVERYBODY) as new,
        AsyncExitStack() as stack,
    ):
        await _sign_in(old)
        tabs = [await stack.enter_async_context(person.tab()) for person in old]
        assert all(_groups_on(shard, layer) for shard in shards)

        await _sign_in(new)

        for tab in tabs:
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001


@pytest.mark.parametrize("layer", ["redis", "pubsub"])
async def test_inv4_shard_that_is_gone_delays_but_hides_nothing(
    layer: str, start_node, shards
) -> None:
    node = start_node(layer, 1)
    async with (
        asyncio.timeout(PATIENCE),
        people(node, *EVERYBODY) as old,
        people(node, *EVERYBODY) as new,
        AsyncExitStack() as stack,
    ):
        await _sign_in(old)
        tabs = [await stack.enter_async_context(person.tab()) for person in old]
        shards[1].kill()

        await _sign_in(new)

        for tab in tabs:
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001


async def _sign_in(everybody: list[Person]) -> None:
    for person in everybody:
        await person.sign_in()


def _groups_on(shard: RedisServer, layer: str) -> list[bytes]:
    """The groups of users that one shard looks after."""
    with redis_client.Redis.from_url(shard.url) as client:
        names = client.keys() if layer == "redis" else client.pubsub_channels()
    return [name for name in names if b"live-single-session." in name]
