"""Two nodes whose clocks are ten minutes apart: limits in time are by the database's."""

import json
from contextlib import asynccontextmanager

import psycopg
import pytest
from websockets.asyncio.client import connect

from tests.chaos.chaos import wrong_clock
from tests.helpers.http_client import HttpClient
from tests.servers.waiting import PATIENCE
from tests.site.people import credentials

IDLE, WARN = 900, 60
LIMITS = {
    "IDLE_SECONDS": IDLE,
    "ACTIVITY_SECONDS": 1,
    "WARN_SECONDS": WARN,
    "RECHECK_SECONDS": 0.5,
}
MINUTES = 600


@asynccontextmanager
async def socket_of(client, node):
    url = f"{node.ws_url}/ws/live-single-session/"
    headers = {"Cookie": client.cookie_header, "Origin": node.url}
    async with connect(url, additional_headers=headers, open_timeout=PATIENCE) as socket:
        yield socket


@pytest.mark.parametrize("engine", ["db", "cached_db"])
async def test_inv9_ends_and_warnings_are_by_the_databases_clock(
    start_daphne, site_database, redis, engine, request
):
    env = {
        "DATABASE_URL": (url := site_database("postgres")),
        "SESSION_ENGINE": f"live_single_session.backends.{engine}",
        "CHANNEL_LAYER": "redis",
        "REDIS_URL": redis.url,
        "LIVE_SINGLE_SESSION": LIMITS,
    }
    early, late = [start_daphne(**env, **wrong_clock(sign * MINUTES // 2)) for sign in (-1, 1)]
    client = HttpClient()
    request.addfinalizer(client.close)
    answer = await client.post(early.port, "/async/api/login/", credentials("alice"))
    assert answer.status == 200, answer.body

    assert IDLE - 60 < ends_in(url) <= IDLE + 1
    async with socket_of(client, early) as one, socket_of(client, late) as other:
        let_it_end_in(url, WARN - 10)
        for socket in (one, other):
            warning = await frame(socket, lambda frame: frame.get("in") is not None)
            assert (warning["type"], warning["reason"]) == ("session.ending", "idle")
            assert WARN - 40 < warning["in"] <= WARN - 10 + 1  # it may be read beside the write
        for node in (late, early):
            assert await who(client, node) == "alice"
        for socket in (one, other):
            await frame(socket, lambda frame: frame.get("in", 0) is None)
        assert IDLE - 60 < ends_in(url) <= IDLE + 1
        let_it_end_in(url, -1)
        for socket in (one, other):
            ended = await frame(socket, lambda frame: frame["type"] == "session.ended")
            assert ended["reason"] == "idle"
    for node in (late, early):
        assert await who(client, node) is None


def let_it_end_in(url, seconds):
    with psycopg.connect(url) as database:
        database.execute(
            "UPDATE live_single_session_usersession SET last_seen_at = now() - interval '1h', "
            f"ends_at = now() + interval '{seconds} s'"
        )


def ends_in(url):
    """In how many seconds the session ends, as the database sees it."""
    with psycopg.connect(url) as database:
        found = database.execute(
            "SELECT extract(epoch FROM ends_at - now()) FROM live_single_session_usersession"
        )
        return found.fetchone()[0]


async def who(client, node):
    return (await client.get(node.port, "/async/whoami/")).json()["user"]


async def frame(socket, fits):
    while not fits(found := json.loads(await socket.recv())):
        pass
    return found
