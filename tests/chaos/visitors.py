"""People in browsers: they sign in, keep a tab open, and are told when they are signed out.

The tab does what the package's script does: it connects again after every close code but
4001 and 4003, with pauses, and asks over HTTP whenever it could not connect.
"""

import asyncio
import json
import random
import time
import uuid
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.helpers.http_client import HttpClient
from tests.site.people import PASSWORD

PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds between a tab's attempts to connect
LIVE_PATH = "/ws/live-single-session/"


class Tab:
    """One open page: what it believes about its session."""

    def __init__(self, visitor: "Visitor", session: str | None = None) -> None:
        self.visitor = visitor
        self.cookie_header = visitor.http.cookie_header
        self.session = session  # the session that the page was made for
        self.ready = asyncio.Event()
        self.is_open = False
        self.open_since = 0.0
        self.told: dict[str, Any] | None = None
        self.told_at = 0.0
        self.asked_at = 0.0
        self.heeded = False  # whether somebody has read what it was told
        self.login_sent_at = 0.0
        self.rotations: list[tuple[float, float]] = []  # requests for a new key: from, until
        self.a_rotation_failed = False
        self.codes: list[int] = []
        self.task = asyncio.create_task(self._live())

    @property
    def asked_beside_a_rotation(self) -> bool:
        """Whether it was told over HTTP, and the session had no lasting key meanwhile."""
        return any(
            began <= self.told_at and self.asked_at <= ended for began, ended in self.rotations
        )

    async def _live(self) -> None:
        tries = 0
        while self.told is None:
            try:
                await self._connection()
                tries = 0
            except (OSError, InvalidHandshake, InvalidMessage, ConnectionClosed, TimeoutError):
                await self._ask()
            self.is_open = False
            if self.told is None:
                pause = PAUSES[min(tries, len(PAUSES) - 1)]
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                tries += 1

    async def _connection(self) -> None:
        port = self.visitor.any_port()
        query = f"?session={self.session}" if self.session else ""
        async with connect(
            f"ws://127.0.0.1:{port}{LIVE_PATH}{query}",
            additional_headers={"Cookie": self.cookie_header},
            origin=f"http://127.0.0.1:{self.visitor.ports[0]}",  # type: ignore[arg-type]
            compression=None,
            ping_interval=None,
            close_timeout=1,
            open_timeout=10 * self.visitor.patience,
        ) as socket:
            try:
                while True:
                    frame = json.loads(await socket.recv())
                    self._hear(frame)
                    if frame["type"] == "session.check":
                        hello = {"type": "session.hello", "browser": self.visitor.browser}
                        await socket.send(json.dumps(hello))
                        await socket.send(json.dumps({"type": "session.here"}))
            except ConnectionClosed:
                code = socket.close_code or 1006
        self.codes.append(code)
        if code == 4003 and self.told is None:
            await self._ask()  # its key may have been rotated beside the handshake
        elif code == 4001 and self.told is None:
            self._believe({"reason": "closed without a word"})

    def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "session.ready":
            self.session = frame["session"]
            self.is_open, self.open_since = True, time.monotonic()
            self.ready.set()
        elif frame["type"] == "session.ended":
            self._believe(frame)

    async def _ask(self) -> None:
        """What the script does where it cannot connect."""
        self.asked_at = time.monotonic()
        client = HttpClient(10 * self.visitor.patience, cookies=dict(self.visitor.http.cookies))
        query = f"?session={self.session}" if self.session else ""
        try:
            answer = await client.get(self.visitor.any_port(), f"/session/status/{query}")
            if answer.status == 401:
                body = answer.json()
                self._believe(body if "reason" in body else {"reason": body["code"]})
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            client.close()

    def _believe(self, told: dict[str, Any]) -> None:
        if self.told is None:
            self.told, self.told_at = told, time.monotonic()
            self.ready.set()


class Visitor:
    """Somebody in one browser, who may sign in again and again."""

    def __init__(self, user: str, ports: list[int], patience: float = 1) -> None:
        self.user = user
        self.ports = ports
        self.patience = patience  # how many times as long as usual an answer may take
        self.http = HttpClient(30 * patience)
        self.tab: Tab | None = None
        self._browser = uuid.uuid4().hex

    @property
    def browser(self) -> str:
        """The name of this browser; now and then somebody clears its storage."""
        if random.random() < 0.1:
            self._browser = uuid.uuid4().hex
        return self._browser

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get("sessionid")

    def any_port(self) -> int:
        return random.choice(self.ports)

    async def sign_in(self) -> int:
        """Sign in at one of the nodes; return the status of the answer."""
        data = {"username": self.user, "password": PASSWORD}
        answer = await self.http.post(self.any_port(), "/async/api/login/", data)
        return answer.status

    def open_tab(self, session: str | None = None) -> Tab:
        self.tab = Tab(self, session)
        return self.tab
