"""For a site's own tests: sign users in, and see what their open tabs are told.

    async def test_the_tab_is_told(self):
        user = await User.objects.acreate_user("alice")
        laptop = await asign_in(user)
        async with Tab(laptop) as tab:
            await asign_in(user)
            assert await tab.told() == "superseded"

Tests need the in-memory channel layer, or one that nobody else uses. They may run in a
transaction (``TestCase``) or commit (``TransactionTestCase``), and in parallel.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from asgiref.sync import sync_to_async
from channels import db as channels_db
from channels.routing import ProtocolTypeRouter, get_default_application
from channels.security.websocket import OriginValidator
from channels.testing import WebsocketCommunicator
from django.db import connections
from django.test import AsyncClient, Client, TestCase

from live_single_session.conf import conf
from live_single_session.registry import db

PATIENCE = 5.0  # seconds


def sign_in(user: Any, client: Client | None = None) -> Client:
    """Sign a user in, as a login view does, and end what gives way to it.

    In a ``TestCase``, whose transaction never ends, what is due on commit is done at once.

    Args:
        user: who signs in.
        client: the browser in which; a new one by default.

    Returns:
        the client, which is signed in.
    """
    client = Client() if client is None else client
    with committed():
        client.force_login(user)
    return client


async def asign_in(user: Any, client: AsyncClient | None = None) -> AsyncClient:
    """Sign a user in, in an async test; see ``sign_in()``."""
    client = AsyncClient() if client is None else client
    await sync_to_async(sign_in)(user, client)  # type: ignore[arg-type]
    return client


def committed() -> AbstractContextManager[Any]:
    """Do what is due on commit at the end of a ``with`` block, in a ``TestCase`` as well.

    For whatever else ends sessions there: a view, ``registry.end_all()``.
    """
    using = db.database()
    if connections[using].in_atomic_block:
        return TestCase.captureOnCommitCallbacks(using=using, execute=True)
    return nullcontext()


class Tab:
    """A tab of a test client: a websocket with its cookies.

    Args:
        client: the browser, signed in or not; Django's ``Client`` or ``AsyncClient``.
        path: where the websocket is; by default the package's own, which is waited for
            until it is ready.
        application: the ASGI application; by default that of ``ASGI_APPLICATION``.
        session: the id of the session that the page was made for, if not the client's.

    Attributes:
        socket: Channels' ``WebsocketCommunicator``.
        received: what the server has sent so far: JSON as values, other text as it is.
        session: the session that the server watches; None for other paths.
    """

    def __init__(
        self,
        client: Client | AsyncClient,
        path: str | None = None,
        *,
        application: Any = None,
        session: object = None,
    ) -> None:
        _spare_transactions()
        self._is_own = path is None
        path = conf.WEBSOCKET_PATH if path is None else path
        assert path is not None, "This site has no websocket: WEBSOCKET_PATH is None."  # noqa: S101
        query = "" if session is None else f"?session={session}"
        cookies = "; ".join(f"{name}={item.value}" for name, item in client.cookies.items())
        headers = [(b"host", b"testserver"), (b"cookie", cookies.encode())]
        self.socket = WebsocketCommunicator(_unchecked(application), path + query, headers)
        self.received: list[Any] = []
        self.session: str | None = None

    async def __aenter__(self) -> "Tab":
        with self._explained("to accept the websocket"):
            accepted, code = await self.socket.connect(timeout=PATIENCE)
        if not accepted:
            raise AssertionError(f"The websocket was refused, with code {code}.")
        if self._is_own:
            frame = await self._until(_is_ours, PATIENCE)
            if frame["type"] == "session.ready":
                self.session = frame["session"]
            else:
                self._unread = frame
        return self

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        # What has gone wrong in the test is what its author wants to read.
        with suppress(Exception), _no_cancellation_of_others():
            await self.socket.disconnect(timeout=PATIENCE)

    async def told(self, seconds: float = PATIENCE) -> str | None:
        """Return why the tab is told that its session ended; it is then closed with 4001.

        Args:
            seconds: how long each message may take.

        Raises:
            AssertionError: it isn't told; the text says what was received instead.
        """
        frame = self.__dict__.pop("_unread", None)
        while frame is None or frame["type"] != "session.ended":
            frame = await self._until(_is_end, seconds)
        code = await self.closed(seconds)
        assert code == 4001, f"The websocket was closed with {code}."  # noqa: S101
        reason: str | None = frame["reason"]
        return reason

    async def closed(self, seconds: float = PATIENCE) -> int:
        """Return the code with which the server closes the websocket: 4001 after the end.

        Args:
            seconds: how long each message may take.

        Raises:
            AssertionError: it doesn't close it; the text says what was received instead.
        """
        while True:
            message = await self._receive("to close the websocket", seconds)
            if message["type"] == "websocket.close":
                code: int = message.get("code", 1000)
                return code
            self._note(message)

    async def is_told_nothing(self, seconds: float = 0.1) -> bool:
        """Tell whether nothing comes for so long."""
        nothing: bool = await self.socket.receive_nothing(timeout=seconds)
        return nothing

    async def _until(
        self, fits: Callable[[dict[str, Any]], bool], seconds: float
    ) -> dict[str, Any]:
        while True:
            message = await self._receive("to tell the tab something", seconds)
            if message["type"] == "websocket.close":
                code = message.get("code")
                raise AssertionError(f"The websocket was closed with {code}. {self._so_far()}")
            frame = self._note(message)
            if isinstance(frame, dict) and fits(frame):
                return frame

    async def _receive(self, what: str, seconds: float) -> dict[str, Any]:
        with self._explained(what, seconds):
            message: dict[str, Any] = await self.socket.receive_output(timeout=seconds)
        return message

    def _note(self, message: dict[str, Any]) -> Any:
        content = message.get("text", message.get("bytes"))
        with suppress(TypeError, ValueError):
            content = json.loads(content)  # type: ignore[arg-type]
        self.received.append(content)
        return content

    @contextmanager
    def _explained(self, what: str, seconds: float = PATIENCE) -> Iterator[None]:
        try:
            with _no_cancellation_of_others():
                yield
        except TimeoutError:
            text = f"The server took more than {seconds:g} s {what}. {self._so_far()}"
            raise AssertionError(text) from None

    def _so_far(self) -> str:
        return f"Received so far: {self.received or 'nothing'}."


def _is_ours(frame: dict[str, Any]) -> bool:
    return frame.get("type") in ("session.ready", "session.ended")


def _is_end(frame: dict[str, Any]) -> bool:
    return frame.get("type") == "session.ended"


@contextmanager
def _no_cancellation_of_others() -> Iterator[None]:
    """Let nobody take the end of the application's task for a cancellation of the test."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise TimeoutError from None


def _spare_transactions() -> None:
    """Let Channels leave the connections of a ``TestCase`` open, as Django's client does.

    It closes what is in a transaction, in the belief that somebody forgot to end it.
    """
    channels_db.close_old_connections = _close_outside_transactions


def _close_outside_transactions(**kwargs: Any) -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _unchecked(application: Any) -> Any:
    """Return the part for websockets, without a check of the Origin, which tests have none of.

    ``ALLOWED_HOSTS`` is what it was when ``asgi.py`` was imported, without "testserver".
    """
    application = get_default_application() if application is None else application
    if isinstance(application, ProtocolTypeRouter):
        application = application.application_mapping["websocket"]
    while isinstance(application, OriginValidator):
        application = application.application
    return application
