"""What is promised holds behind every server, not only behind daphne."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest
from playwright.async_api import BrowserContext, expect
from websockets.exceptions import ConnectionClosed

from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.redis import RedisServer
from tests.servers.waiting import await_until
from tests.servers.web_servers import SERVERS, Granian, Gunicorn, Hypercorn, Uvicorn
from tests.site.people import credentials

PATIENCE = 120  # seconds; a test that gets there has failed

# From Python 3.12 on, asyncio lets Hypercorn wait for connections that it hasn't closed yet.
HYPERCORN_STOPS = sys.version_info < (3, 12)
STOP_AT_ONCE = [Uvicorn, Granian, *([Hypercorn] if HYPERCORN_STOPS else [])]


@pytest.fixture(scope="module")
def start(
    redis_server: RedisServer, site_databases: Callable[[str], SiteDatabases]
) -> Iterator[Callable[..., Daphne]]:
    """`start(Uvicorn)`: that server, serving the test site until the module ends."""
    databases = site_databases("sqlite")
    name = databases.create()
    env = {
        "DATABASE_URL": databases.url(name),
        "REDIS_URL": redis_server.url,
        "CHANNEL_LAYER": "pubsub",
        # which would hide that a push was never sent
        "LIVE_SINGLE_SESSION": {"RECHECK_SECONDS": 3600},
    }
    with ExitStack() as stack:
        stack.callback(databases.drop, name)

        def start(kind: type[Daphne], application: str = "tests.asgi:application") -> Daphne:
            server = kind(application, env)
            stack.callback(server.close)
            server.start()
            return server

        yield start


DRIVEN = "a newer sign-in: sockets, streams, a browser, close codes; a server that stops"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(server, marks=pytest.mark.drives(DRIVEN, "nothing", server.name))
        for server in (Uvicorn, Hypercorn, Granian)
    ],
)
def running_site(request: pytest.FixtureRequest, start: Callable[..., Daphne]) -> Daphne:
    return start(request.param)


@pytest.fixture
def site(running_site: Daphne, redis: RedisServer) -> Iterator[Daphne]:
    """The test site behind another server."""
    if not running_site.is_running:
        running_site.restart()
    yield running_site
    print(f"{running_site.name} printed:\n{running_site.log[-8000:]}")


async def test_everything_of_an_ended_session_stops(site: Daphne) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        people(site, "alice", "alice", "bob", "bob") as (old, new, bob, other_bob),
        AsyncExitStack() as stack,
    ):
        await old.sign_in()
        await bob.sign_in()
        tab, bobs_tab = [await stack.enter_async_context(who.tab()) for who in (old, bob)]
        chat = await stack.enter_async_context(old.socket("/ws/chat/"))
        await chat.send("hello")
        assert await chat.recv() == "hello"
        stream = await stack.enter_async_context(old.http.stream("GET", "/stream/"))
        ticks = stream.aiter_lines()
        assert await anext(ticks)

        await new.sign_in()

        told = await hear(tab)
        assert (told["type"], told["reason"]) == ("session.ended", "superseded")
        assert await close_code(tab) == 4001
        assert await close_code(chat) == 4001
        async for _tick in ticks:
            pass  # until it ends
        assert (await old.api()).json()["code"] == "session_ended"
        assert await new.name_seen_by_site() == "alice"
        assert await bob.name_seen_by_site() == "bob"
        await other_bob.sign_in()
        assert (await hear(bobs_tab))["by"] is not None  # the first that he hears


async def test_tab_in_a_browser_is_told(
    site: Daphne, new_browser_context: Callable[..., Awaitable[BrowserContext]]
) -> None:
    old, new = await new_browser_context(), await new_browser_context()
    await _sign_in_with(old, site)
    page = await old.new_page()
    heard: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda it: heard.append(it)))
    await page.goto(f"{site.url}/private/")
    await await_until(lambda: heard, "a socket that is ready")

    await _sign_in_with(new, site)

    await expect(page.get_by_role("alertdialog")).to_be_visible(timeout=PATIENCE * 1000)


async def _sign_in_with(browser: BrowserContext, site: Daphne) -> None:
    data = json.dumps(credentials("alice"))
    assert (await browser.request.post(f"{site.url}/api/login/", data=data)).ok


async def test_dead_cookie_is_told_by_a_code_that_browsers_see(site: Daphne) -> None:
    """4001 and 4003 come after the socket was accepted, or they would be 1006."""
    async with (
        asyncio.timeout(PATIENCE),
        people(site, "alice", "alice", "bob") as (old, new, bob),
    ):
        await old.sign_in()
        await new.sign_in()
        async with old.socket() as socket:
            assert (await hear(socket))["reason"] == "superseded"
            assert await close_code(socket) == 4001
        async with old.socket("/ws/chat/") as chat:
            assert await close_code(chat) == 4001
        async with bob.socket() as socket:
            assert await close_code(socket) == 4003


@pytest.mark.parametrize("running_site", STOP_AT_ONCE, indirect=True)
async def test_server_that_is_stopped_does_not_wait_for_tabs(site: Daphne) -> None:
    """And it doesn't tell them that their session has ended: they reconnect elsewhere."""
    async with asyncio.timeout(PATIENCE), people(site, "alice") as (alice,):
        await alice.sign_in()
        async with alice.tab() as tab:
            os.kill(site.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await tab.recv()
            assert tab.close_code not in (4001, 4003)
            await await_until(lambda: not site.is_running, "the server to stop")


@pytest.mark.drives(
    "its streams and downloads beside Django, behind each ASGI server", "nothing", "starlette"
)
@pytest.mark.parametrize("kind", SERVERS.values(), ids=SERVERS)
async def test_apps_beside_django_end_streams_and_complete_downloads(
    start: Callable[..., Daphne], redis: RedisServer, kind: type[Daphne]
) -> None:
    site = start(kind, "tests.site.foreign_apps:application")
    async with (
        asyncio.timeout(PATIENCE),
        people(site, "alice", "alice") as (old, new),
        AsyncExitStack() as stack,
    ):
        await old.sign_in()
        events, download = [
            await stack.enter_async_context(old.http.stream("GET", f"/starlette/{path}"))
            for path in ("events", "download")
        ]
        ticks, halves = events.aiter_lines(), download.aiter_raw()
        assert await anext(ticks)
        assert await anext(halves) == b"first"

        await new.sign_in()

        async for _tick in ticks:
            pass  # until it ends
        assert (await new.http.get("/starlette/let-go")).status_code == 200
        assert [half async for half in halves] == [b"again"]
        assert (await old.http.get("/starlette/whoami")).status_code == 401
    assert "Traceback" not in site.log


@pytest.mark.drives(
    "threads of WSGI for requests, daphne for websockets", "nothing", "gunicorn", "daphne"
)
async def test_wsgi_for_requests_and_daphne_for_websockets(
    start: Callable[..., Daphne], redis: RedisServer
) -> None:
    pages = start(Gunicorn, "tests.wsgi:application")
    sockets = start(Daphne)
    async with asyncio.timeout(PATIENCE), people(pages, "alice", "alice") as (old, new):
        await old.sign_in("/api/login/")  # a WSGI server runs nothing else well
        old.site = new.site = sockets
        async with old.tab() as tab, old.socket("/ws/chat/") as chat:
            await chat.send("hello")
            assert await chat.recv() == "hello"

            await new.sign_in("/api/login/")

            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
            assert await close_code(chat) == 4001
        answer = await old.http.get("/api/private/", headers={"Accept": "application/json"})
        assert answer.json()["code"] == "session_ended"
        assert (await new.http.get("/whoami/")).json() == {"user": "alice"}
