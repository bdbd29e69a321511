"""Somebody with a browser: cookies, requests and websockets, against a live site."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.servers.daphne import Daphne
from tests.servers.waiting import PATIENCE
from tests.site.people import credentials

LIVE_PATH = "/ws/live-single-session/"


class Person:
    """One person in one browser. Each has cookies of their own."""

    def __init__(self, site: Daphne, name: str = "alice") -> None:
        self.name = name
        self.site = site
        self.http = httpx.AsyncClient(base_url=site.url, timeout=4 * PATIENCE, verify=False)

    async def try_to_sign_in(self, path: str = "/async/api/login/") -> httpx.Response:
        """Return the answer, whatever it is."""
        return await self.http.post(path, json=credentials(self.name))

    async def sign_in(self, path: str = "/async/api/login/") -> httpx.Response:
        response = await self.try_to_sign_in(path)
        assert response.status_code == 200, response.text
        return response

    async def name_seen_by_site(self) -> str | None:
        return (await self.http.get("/async/whoami/")).json()["user"]

    async def api(self) -> httpx.Response:
        return await self.http.get(
            "/async/api/private/", headers={"Accept": "application/json"}
        )

    @asynccontextmanager
    async def socket(
        self, path: str = LIVE_PATH, subprotocol: str | None = None
    ) -> AsyncIterator[ClientConnection]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        async with connect(
            self.site.ws_url + path,
            additional_headers={"Cookie": cookies},
            origin=self.site.url,  # type: ignore[arg-type]
            subprotocols=None if subprotocol is None else [subprotocol],  # type: ignore[list-item]
        ) as socket:
            yield socket

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[ClientConnection]:
        """A page with the script: its websocket, which is ready."""
        async with self.socket() as socket:
            assert (await hear(socket))["type"] == "session.ready"
            yield socket


async def hear(socket: ClientConnection) -> dict[str, Any]:
    """Return the next frame but for those that ask, as with ON_SHARED."""
    frame: dict[str, Any] = json.loads(await socket.recv())
    return await hear(socket) if frame["type"] == "session.check" else frame


async def close_code(socket: ClientConnection) -> int:
    """Wait until the other side closes, and return its code."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        assert socket.close_code is not None
        return socket.close_code


@asynccontextmanager
async def people(site: Daphne, *names: str) -> AsyncIterator[list[Person]]:
    """Some persons, each in a browser of their own."""
    everybody = [Person(site, name) for name in names]
    try:
        yield everybody
    finally:
        for person in everybody:
            await person.http.aclose()
