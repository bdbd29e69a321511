"""Invariant 2 for Django's own streams, without a server in between."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncClient
from django.urls import path

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.watch import get_watch
from tests.servers.waiting import await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

SECONDS = 10.0  # a test that waits so long has failed

cleaned_up: list[str] = []


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    await request.auser()
    return StreamingHttpResponse(secrets())


async def secrets() -> AsyncIterator[str]:
    """Waits for ever after the first one, and says something more when it is stopped."""
    try:
        yield "a secret"
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        yield "one last secret"
    finally:
        cleaned_up.append("secrets")


urlpatterns = [path("stream/", stream)]


def only_synchronous(get_response: Callable[[HttpRequest], Any]) -> Any:
    def middleware(request: HttpRequest) -> Any:
        return get_response(request)

    return middleware


@pytest.fixture(autouse=True)
def _only_what_is_cleaned_up_by_itself() -> Iterator[None]:
    """Nothing waits for the garbage collector, which may come late."""
    cleaned_up.clear()
    gc.disable()
    yield
    gc.enable()


@asynccontextmanager
async def a_client(blocked: bool = False) -> AsyncIterator[asyncio.Queue[Any]]:
    """Somebody signed in who reads the stream, and leaves; `blocked`: who reads nothing."""
    browser = AsyncClient()
    await browser.aforce_login(await User.objects.acreate_user("alice"))
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/stream/",
        "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
    }
    said: asyncio.Queue[Any] = asyncio.Queue()
    to_say: asyncio.Queue[Any] = asyncio.Queue()
    to_say.put_nowait({"type": "http.request"})

    async def send(message: dict[str, Any]) -> None:
        said.put_nowait(message)
        if blocked and message.get("body"):
            await asyncio.Event().wait()

    async with asyncio.timeout(SECONDS):
        site = asyncio.create_task(get_asgi_application()(scope, to_say.get, send))
        assert (await said.get())["status"] == 200
        assert (await said.get())["body"] == b"a secret"
        yield said
        to_say.put_nowait({"type": "http.disconnect"})
        await site


async def nothing_is_left() -> None:
    watch = get_watch()
    await await_until(lambda: not watch._entries and watch._keeper is None, "the watch to end")
    await await_until(lambda: cleaned_up == ["secrets"], "the stream to be cleaned up")


@pytest.mark.parametrize("inner", [[], [f"{__name__}.only_synchronous"]])
async def test_inv2_stream_ends_with_its_session(settings: Any, inner: list[str]) -> None:
    """Also if a middleware that knows of no event loop stands between it and the view."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *inner]
    async with a_client() as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()  # it is complete
    await nothing_is_left()


@pytest.mark.parametrize("blocked", [False, True])
async def test_nothing_is_left_when_the_client_leaves_a_stream(blocked: bool) -> None:
    async with a_client(blocked):
        pass
    await nothing_is_left()


async def test_nothing_is_left_when_a_session_ends_whose_client_reads_nothing() -> None:
    async with a_client(blocked=True):
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
    await nothing_is_left()
