"""Holds many idle sockets open, in a process of its own: `... PORT PATH [EXTENSION] < cookies`.

Prints "open" when all are ready, or "open, extended" where the server has taken the extension
that all have offered. Prints how many are open when a line comes in.
"""

import asyncio
import base64
import os
import subprocess
import sys
from contextlib import closing
from types import TracebackType

from tests.servers.process import ROOT

AT_ONCE = 16


class Crowd:
    """The other people, seen from the benchmark.

    Attributes:
        is_extended: whether the server has taken the ``extension`` that they offer.
    """

    def __init__(self, port: int, path: str, cookies: list[str], extension: str = "") -> None:
        self._cookies = cookies
        self.is_extended = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.crowd", str(port), path, extension],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Crowd":
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(self._cookies) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline().strip()
        if said not in ("open", "open, extended"):
            raise RuntimeError(f"the crowd said {said!r}")
        self.is_extended = said != "open"
        return self

    def still_open(self) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with closing(pipe):
                pass


class Silent(asyncio.Protocol):
    """A websocket that hears its first frame, and then only answers pings."""

    __slots__ = ("buffer", "is_extended", "ready", "request", "transport", "upgraded")

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""
        self.upgraded = False
        self.is_extended = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        assert self.transport
        if self.ready.done():
            if data[0] & 0xF == 9:  # a ping; daphne's are short
                length = data[1] & 0x7F
                mask = b"\0\0\0\0"
                pong = bytes([0x8A, 0x80 | length]) + mask + data[2 : 2 + length]
                self.transport.write(pong)
            return
        self.buffer += data
        head, _, frames = self.buffer.partition(b"\r\n\r\n")
        if frames and frames[0] & 0xF == 1:  # a text, compressed or not
            self.is_extended = b"\r\nsec-websocket-extensions:" in head.lower()
            self.buffer = b""
            self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if not self.ready.done():
            said = self.buffer[:200]
            self.ready.set_exception(ConnectionError(f"closed before it was ready: {said!r}"))


def handshake(port: int, path: str, cookie: str, extension: str = "") -> bytes:
    offer = f"Sec-WebSocket-Extensions: {extension}\r\n" if extension else ""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"{offer}Origin: http://127.0.0.1:{port}\r\nCookie: sessionid={cookie}\r\n\r\n"
    ).encode()


async def hold(port: int, path: str, extension: str = "") -> None:
    loop = asyncio.get_running_loop()
    cookies = (await loop.run_in_executor(None, sys.stdin.readline)).split()
    turns = asyncio.Semaphore(AT_ONCE)
    sockets: list[Silent] = []

    async def connect(cookie: str) -> None:
        async with turns:
            request = handshake(port, path, cookie, extension)
            _, socket = await loop.create_connection(lambda: Silent(request), "127.0.0.1", port)
            await socket.ready
            sockets.append(socket)

    await asyncio.gather(*(connect(cookie) for cookie in cookies))
    print("open, extended" if any(s.is_extended for s in sockets) else "open", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(sum(socket.transport is not None for socket in sockets), flush=True)


if __name__ == "__main__":
    asyncio.run(hold(int(sys.argv[1]), *sys.argv[2:]))
