"""Browsers without a window: Django's test clients, and websockets with their cookies."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import AsyncClient, Client

from live_single_session.conf import conf
from tests.asgi import application
from tests.site.people import credentials

PATIENCE = 10  # seconds that a frame may take on a busy machine

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html,*/*;q=0.8"}
API = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


class Browser(Client):
    """Somebody's browser; keeps its cookies."""

    def sign_in(self, name="alice", path="/api/login/", **extra):
        response = self.post(path, credentials(name), content_type="application/json", **extra)
        assert response.status_code == 200
        return response

    def user(self):
        return self.get("/whoami/").json()["user"]

    @property
    def key(self):
        return self.cookies[settings.SESSION_COOKIE_NAME].value


def who(*browsers):
    """Who is signed in, in each of them."""
    return [browser.user() for browser in browsers]


class AsyncBrowser(AsyncClient):
    """Somebody's browser, which has websockets too."""

    async def sign_in(self, name="alice", path="/async/api/login/", **extra):
        response = await self.post(
            path, credentials(name), content_type="application/json", **extra
        )
        assert response.status_code == 200
        return response

    async def user(self):
        return (await self.get("/async/whoami/")).json()["user"]

    @property
    def key(self):
        return self.cookies[settings.SESSION_COOKIE_NAME].value

    def socket(self, session=None, **options):
        """Open the package's own websocket: ``async with browser.socket(id) as socket``."""
        query = "" if session is None else f"?session={session}"
        return self.websocket(conf.WEBSOCKET_PATH + query, **options)

    @asynccontextmanager
    async def websocket(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        subprotocols: Iterable[str] = (),
        application=application,
    ) -> AsyncIterator["Socket"]:
        sent = {"Origin": "http://testserver", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={m.value}" for k, m in self.cookies.items())
        encoded = [(name.lower().encode(), v.encode("latin1")) for name, v in sent.items()]
        socket = Socket(application, path, encoded, list(subprotocols))
        await socket.open()
        try:
            yield socket
        finally:
            await socket.disconnect(timeout=PATIENCE)


class Socket(WebsocketCommunicator):
    """One websocket, as the browser sees it."""

    accepted = False
    subprotocol = None  # the one that the server chose
    refusal = None  # the code of a socket that was not accepted

    async def open(self):
        self.accepted, answer = await self.connect(timeout=PATIENCE)
        if self.accepted:
            self.subprotocol = answer
        else:
            self.refusal = answer

    async def frame(self):
        return json.loads(await self.receive_from(timeout=PATIENCE))

    async def close_code(self):
        message = await self.receive_output(timeout=PATIENCE)
        assert message["type"] == "websocket.close", message
        return message["code"]
