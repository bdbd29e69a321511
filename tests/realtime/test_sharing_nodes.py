"""`ON_SHARED` across two nodes: what is found, and what never is."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.helpers.people import LIVE_PATH, people

ORIGIN = "https://site.example"
PATIENCE = 60  # seconds; a test that gets there has failed


@pytest.fixture
def nodes(start_daphne, site_database, redis):
    env = {
        "DATABASE_URL": site_database("postgres"),
        "CHANNEL_LAYER": "redis",
        "REDIS_URL": redis.url,
        "LIVE_SINGLE_SESSION": {"ON_SHARED": "end"},
    }
    return [start_daphne(**env) for _ in range(2)]


async def page(node, cookies, name, seconds):
    """A page with the script, for so long; return the reason that it is told, if any."""
    header = {"Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())}
    url = node.ws_url + LIVE_PATH
    async with connect(url, additional_headers=header, origin=ORIGIN) as socket:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = json.loads(await socket.recv())
                    if frame["type"] == "session.check":
                        hello = {"type": "session.hello", "browser": name}
                        await socket.send(json.dumps(hello))
                        await socket.send(json.dumps({"type": "session.here"}))
                    if frame["type"] == "session.ended":
                        return frame["reason"]
        except (TimeoutError, ConnectionClosed):
            return None


async def test_a_copy_on_another_node_is_found(nodes):
    async with people(nodes[0], "alice") as (owner,):
        await owner.sign_in()
        cookies = dict(owner.http.cookies)
        begun = time.monotonic()
        told = await asyncio.gather(
            page(nodes[0], cookies, "owner", PATIENCE),
            page(nodes[1], cookies, "thief", PATIENCE),
        )
    assert told == ["shared", "shared"]
    assert time.monotonic() - begun > 10  # twice, ten seconds apart


async def test_inv9_one_browser_on_two_nodes_is_one(nodes):
    async with people(nodes[0], "alice") as (owner,):
        await owner.sign_in()
        cookies = dict(owner.http.cookies)
        pages = [page(node, cookies, "one", 18) for node in nodes * 2]
        assert await asyncio.gather(*pages) == 4 * [None]
        assert await owner.name_seen_by_site() == "alice"


async def test_inv9_a_node_that_dies_leaves_nobody_behind(nodes):
    """The browser's storage was cleared, and its old page was on that node."""
    async with people(nodes[0], "alice") as (owner,):
        await owner.sign_in()
        cookies = dict(owner.http.cookies)
        old = asyncio.create_task(page(nodes[1], cookies, "before", 30))
        await asyncio.sleep(1)
        new = asyncio.create_task(page(nodes[0], cookies, "after", 22))
        await asyncio.sleep(2)
        await asyncio.to_thread(nodes[1].kill)
        assert await asyncio.gather(old, new) == [None, None]
        assert await owner.name_seen_by_site() == "alice"
