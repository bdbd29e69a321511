"""Invariant 9 with django-tenants: each connection is looked at in its own tenant."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.compatibility.packages.customers.found import MANY
from tests.helpers.people import LIVE_PATH, hear
from tests.servers.daphne import Daphne
from tests.servers.postgres import PostgresServer
from tests.servers.process import ROOT
from tests.site.people import credentials

PATIENCE = 240  # seconds; a test that gets there has failed
RECHECKS = 3
SECONDS = 2  # between them


class TenantsPerson:
    def __init__(self, site: Daphne, host: str, name: str) -> None:
        self.site, self.host, self.name = site, host, name
        self.http = httpx.AsyncClient(base_url=site.url, timeout=60, headers={"Host": host})
        self.cookie = ""

    async def sign_in(self) -> None:
        response = await self.http.post("/async/api/login/", json=credentials(self.name))
        assert response.status_code == 200, response.text
        cookies = (header.split(";")[0] for header in response.headers.get_list("set-cookie"))
        self.cookie = next(cookie for cookie in cookies if cookie.startswith("sessionid="))

    def socket(self, path: str = LIVE_PATH) -> connect:
        url = f"ws://{self.host}:{self.site.port}{path}"
        headers = {"Cookie": self.cookie}
        return connect(url, host="127.0.0.1", port=self.site.port, additional_headers=headers)


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    postgres_server: PostgresServer,
    start_daphne: Callable[..., Daphne],
) -> Daphne:
    keep, shared = request.param
    name = f"tenants_{keep}{'_shared' if shared else ''}"
    postgres_server.create_database(name)
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.compatibility.packages.tenants",
        "DATABASE_URL": postgres_server.url(name),
        "KEEP": keep,
        "SHARED": shared,
        "LIVE_SINGLE_SESSION": json.dumps({"RECHECK_SECONDS": SECONDS}),
    }
    command = [sys.executable, "-m", "tests.compatibility.packages.customers.found"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=True)
    return start_daphne("tests.compatibility.packages.tenants_asgi:application", **env)


@pytest.mark.drives(
    f"two tenants, {len(MANY)} people with a socket each, {RECHECKS} re-checks, a newer "
    "sign-in; the tenant in a context variable or in the scope, the app in one list or in both",
    'the tenant in a context variable, or in `scope["tenant"]`',
    "django-tenants",
)
@pytest.mark.parametrize(
    "site",
    [("context", ""), ("context", "yes"), ("thread", ""), ("thread", "yes")],
    indirect=True,
    ids=["context", "context, both lists", "thread", "thread, both lists"],
)
async def test_inv9_nobody_is_told_of_an_end_in_another_tenant(site: Daphne) -> None:
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
        one, two = (
            [TenantsPerson(site, f"{tenant}.localhost", name) for name in MANY]
            for tenant in ("one", "two")
        )
        newer = TenantsPerson(site, "one.localhost", MANY[0])
        for person in (*one, *two, newer):
            stack.push_async_callback(person.http.aclose)
        for person in (*one, *two):
            await person.sign_in()
        tabs = [await stack.enter_async_context(person.socket()) for person in (*one, *two)]
        for tab in tabs:
            assert (await hear(tab))["type"] == "session.ready"
        chats = [
            await stack.enter_async_context(person.socket("/ws/chat/"))
            for person in (one[0], one[1], two[0])
        ]
        await asyncio.sleep(RECHECKS * SECONDS + 1)
        await all_are_open(*tabs, *chats)
        await newer.sign_in()
        assert (await hear(tabs[0]))["reason"] == "superseded"
        await chats[0].wait_closed()
        assert chats[0].close_code == 4001
        await asyncio.sleep(RECHECKS * SECONDS)
        await all_are_open(*tabs[1:], *chats[1:])
    assert "can't be asked" not in site.log


async def all_are_open(*sockets: ClientConnection) -> None:
    """Fail if one is closed, or has heard anything."""
    for socket in sockets:
        await asyncio.wait_for(await socket.ping(), 30)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.01)
