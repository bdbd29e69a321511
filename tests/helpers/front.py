"""A proxy in front of daphne, as between a browser and a site: it counts and it fails."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

CHUNK = 64 * 1024
LENGTH = re.compile(r"\r\nContent-Length: \d+", re.IGNORECASE)  # the connection's end tells


@dataclass(eq=False)
class Socket:
    """A websocket that a page holds through the proxy."""

    session: str | None
    silent: bool = False  # what the site sends no longer arrives
    endless: bool = False  # nor does the end of it
    said: bytes = b""  # what the site has sent
    connection: asyncio.Task | None = field(default_factory=asyncio.current_task)

    @property
    def ready(self) -> bool:
        """Whether the site has sent a frame: before that the page is still connecting."""
        return bool(self.said.partition(b"\r\n\r\n")[2])


@dataclass
class Front:
    """Passes on what browsers ask, one request for each connection.

    Attributes:
        websockets: ``"pass"``, ``"refuse"`` (404, as proxies that never heard of them) or
            ``"swallow"`` (no answer at all).
        sockets: the websockets that are open.
        handshakes: how many have been asked for.
        asked: the paths of all other requests.
        edits: what to make of the answers under a path.
    """

    upstream: int
    websockets: str = "pass"
    sockets: set[Socket] = field(default_factory=set)
    handshakes: int = 0
    asked: list[str] = field(default_factory=list)
    edits: dict[str, Callable[[str], str]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def of(self, session: str) -> list[Socket]:
        """The sockets of the pages of one session, if they are ready."""
        return [s for s in self.sockets if s.session == session and s.ready]

    def checks(self) -> int:
        """How often a page has asked over HTTP."""
        return sum(path.startswith("/session/status/") for path in self.asked)

    def silence(self, *, endless: bool = False) -> None:
        """Let the open sockets go dead without a word, as a laptop's do while it sleeps.

        `endless` are those that the browser holds for open whatever the site does.
        """
        for socket in self.sockets:
            socket.silent = True
            socket.endless = endless

    def cut(self) -> None:
        """Break the open sockets, as a server does that dies."""
        for socket in self.sockets:
            socket.connection.cancel()

    def edit(self, path: str, old: str, new: str) -> None:
        """Write something else into a page on its way to the browser.

        The browser knows it for the site's own page then. One that Playwright's `fulfill`
        has made up may open no socket to this machine.
        """

        def change(answer: str) -> str:
            if not answer.startswith("HTTP/1.1 200 "):
                return answer
            assert old in answer, f"{path} has no {old}"
            return answer.replace(old, new, 1)

        self.edits[path] = change

    def add_header(self, path: str, header: str) -> None:
        self.edit(path, "\r\n\r\n", f"\r\n{header}\r\n\r\n")

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.close())  # also if it is cancelled unstarted

    async def _serve(self, reader, writer) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._pass_on(reader, writer)

    async def _pass_on(self, reader, writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        if b"\r\nupgrade: websocket" not in head.lower():
            self.asked.append(path)
            head = head.replace(b"Connection: keep-alive", b"Connection: close")
            if change := self.edits.get(urlsplit(path).path):
                await self._pass_on_changed(head, writer, change)
            else:
                await self._pipe_both(head, reader, writer, Socket(None))
            return
        self.handshakes += 1
        match self.websockets:
            case "refuse":
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            case "swallow":
                await reader.read()
            case _:
                session = parse_qs(urlsplit(path).query).get("session", [None])[0]
                socket = Socket(session)
                self.sockets.add(socket)
                try:
                    await self._pipe_both(head, reader, writer, socket)
                finally:
                    self.sockets.discard(socket)

    async def _pass_on_changed(self, head, writer, change: Callable[[str], str]) -> None:
        from_site, to_site = await asyncio.open_connection("127.0.0.1", self.upstream)
        to_site.write(head)
        try:
            answer = (await from_site.read()).decode()
        finally:
            await _close(to_site)
        writer.write(change(LENGTH.sub("", answer)).encode())
        await writer.drain()

    async def _pipe_both(self, head, reader, writer, socket: Socket) -> None:
        from_site, to_site = await asyncio.open_connection("127.0.0.1", self.upstream)
        to_site.write(head)
        ways = [
            asyncio.create_task(_pipe(reader, to_site, Socket(None))),
            asyncio.create_task(_pipe(from_site, writer, socket)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _close(to_site)


async def _close(writer) -> None:
    writer.close()
    with suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


async def _pipe(source, target, socket: Socket) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            socket.said += data
            if not socket.silent:
                target.write(data)
                await target.drain()
    if socket.endless:
        await asyncio.Future()
