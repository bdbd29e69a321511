"""A small HTTP/1.1 client: thousands of them must cost the machine less than the site does."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class HttpClient:
    """One client with a cookie jar of its own; connections are kept, one for each port."""

    timeout: float = 30
    cookies: dict[str, str] = field(default_factory=dict)
    _kept: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(
        default_factory=dict
    )

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def get(self, port: int, path: str, **headers: str) -> Answer:
        return await self.request(port, "GET", path, b"", **headers)

    async def post(self, port: int, path: str, data: Any, **headers: str) -> Answer:
        return await self.request(port, "POST", path, json.dumps(data).encode(), **headers)

    async def request(
        self, port: int, method: str, path: str, body: bytes, **headers: str
    ) -> Answer:
        """Send a request, and read its whole answer.

        Raises:
            OSError: the server is gone, was gone, or takes too long.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        if self.cookies:
            lines.append(f"Cookie: {self.cookie_header}")
        if body or method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        raw = ("\r\n".join(lines) + "\r\n\r\n").encode("latin1") + body
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._exchange(port, raw)
        except BaseException as error:
            self._drop(port)
            if isinstance(error, (EOFError, ValueError)):
                raise ConnectionError("the server hung up") from error
            raise
        self._take_cookies(answer)
        return answer

    def close(self) -> None:
        for port in list(self._kept):
            self._drop(port)

    async def _exchange(self, port: int, raw: bytes) -> Answer:
        kept = self._kept.get(port)
        if kept is None or kept[1].is_closing() or kept[0].at_eof():
            self._drop(port)
            kept = self._kept[port] = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = kept
        writer.write(raw)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
        headers = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        ]
        answer = Answer(int(head[0].split()[1]), headers)
        length = answer.header("content-length")
        if answer.header("transfer-encoding") == "chunked":
            answer.body = await _chunks(reader)
        elif length is not None:
            answer.body = await reader.readexactly(int(length))
        if (answer.header("connection") or "").lower() == "close":
            self._drop(port)
        return answer

    def _take_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name == "set-cookie":
                for morsel in SimpleCookie(value).values():
                    if morsel.value in ("", '""'):
                        self.cookies.pop(morsel.key, None)
                    else:
                        self.cookies[morsel.key] = morsel.value

    def _drop(self, port: int) -> None:
        kept = self._kept.pop(port, None)
        if kept is not None:
            with suppress(OSError, RuntimeError):
                kept[1].close()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
