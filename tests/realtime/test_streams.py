"""Invariant 2 for Django's own streams, without a server in between."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.realtime import streams
from live_single_session.realtime.watcher import get_watcher
from tests.helpers.browsers import signed_in_browser
from tests.servers.waiting import PATIENCE, await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


Headers = tuple[tuple[bytes, bytes], ...]

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


variable = ContextVar("variable", default="")


async def of_a_context() -> AsyncIterator[str]:
    token = variable.set("set")
    try:
        for _ in range(3):
            yield variable.get() or "lost"
    finally:
        variable.reset(token)


async def of_a_task_group() -> AsyncIterator[str]:
    async def fail() -> None:
        raise ZeroDivisionError

    try:
        async with asyncio.TaskGroup() as tasks:
            yield "begun"
            tasks.create_task(fail())
            await asyncio.Event().wait()
    except* ZeroDivisionError:
        pass
    yield "failed"


async def of_a_limited_time() -> AsyncIterator[str]:
    try:
        async with asyncio.timeout(0.1):
            yield "begun"
            await asyncio.Event().wait()
    except TimeoutError:
        yield "over"


async def broken_off() -> AsyncIterator[str]:
    yield "begun"
    raise asyncio.CancelledError


async def stubborn() -> AsyncIterator[str]:
    """Swallows one cancellation after the other."""
    try:
        yield "a secret"
        for _ in range(6):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        yield "another secret"
    finally:
        cleaned_up.append("secrets")


async def of_whoever_asks(request: HttpRequest) -> AsyncIterator[str]:
    """Looks its user up only when it is read, and waits for ever."""
    try:
        yield "a secret"
        await request.auser()
        await asyncio.Event().wait()
    finally:
        cleaned_up.append("secrets")


async def lazy(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(of_whoever_asks(request))


ALL_OF = {
    of_a_context: [b"set"] * 3,
    of_a_task_group: [b"begun", b"failed"],
    of_a_limited_time: [b"begun", b"over"],
}


async def deaf() -> AsyncIterator[str]:
    """Loses a cancellation now and then, as a client of Redis does."""
    try:
        yield "a secret"
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()
    finally:
        cleaned_up.append("secrets")


async def in_scopes() -> AsyncIterator[str]:
    """Reads what a task of its own produces, as one that subscribes to something does."""
    token = variable.set("set")
    try:
        async with asyncio.timeout(3600), asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(3600))
            yield "a secret"
            await asyncio.Event().wait()
    finally:
        variable.reset(token)
        cleaned_up.append("secrets")


def view_of(chunks: Callable[[], AsyncIterator[str]]) -> Any:
    async def view(request: HttpRequest) -> StreamingHttpResponse:
        await request.auser()
        return StreamingHttpResponse(chunks(), headers={"Content-Length": "1000"})

    return view


async def as_bob(request: HttpRequest) -> StreamingHttpResponse:
    """Bob by a token, or by somebody who may be him, beside the session of alice."""
    await request.auser()
    request.user = await User.objects.aget(username="bob")
    return StreamingHttpResponse(secrets())


urlpatterns = [
    path("as_bob/", as_bob),
    path("stream/", stream),
    path("lazy/", lazy),
    *(
        path(f"{it.__name__}/", view_of(it))
        for it in (*ALL_OF, broken_off, deaf, in_scopes, stubborn)
    ),
]


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
async def a_client(
    blocked: bool = False, where: str = "/stream/", headers: Headers = ()
) -> AsyncIterator[asyncio.Queue[Any]]:
    """Somebody signed in who reads the stream, and leaves; `blocked`: who reads nothing."""
    async with a_request(where, blocked, headers=headers) as (said, to_say, site):
        assert (await said.get())["status"] == 200
        assert (await said.get())["body"] == b"a secret"
        yield said
        to_say.put_nowait({"type": "http.disconnect"})
        await site


@asynccontextmanager
async def a_request(
    where: str, blocked: bool = False, method: str = "GET", headers: Headers = ()
) -> AsyncIterator[tuple[Any, ...]]:
    browser = await signed_in_browser()
    scope = {
        "type": "http",
        "method": method,
        "path": where,
        "headers": [(b"host", b"testserver"), browser.cookie_header, *headers],
    }
    said: asyncio.Queue[Any] = asyncio.Queue()
    to_say: asyncio.Queue[Any] = asyncio.Queue()
    to_say.put_nowait({"type": "http.request"})

    async def send(message: dict[str, Any]) -> None:
        said.put_nowait(message)
        if blocked and message.get("body"):
            await asyncio.Event().wait()

    async with asyncio.timeout(PATIENCE):
        site = asyncio.create_task(get_asgi_application()(scope, to_say.get, send))
        yield said, to_say, site


async def nothing_is_left() -> None:
    watch = get_watcher()
    await await_until(lambda: not watch._waiters and watch._task is None, "the watch to end")
    await await_until(lambda: cleaned_up == ["secrets"], "the stream to be cleaned up")


async def test_inv9_stream_of_a_token_goes_on_beside_a_session_that_ends() -> None:
    await User.objects.acreate(username="bob")
    token = (b"authorization", b"Token 1")
    async with a_client(where="/as_bob/", headers=(token,)) as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(said.get(), 0.5)


async def test_inv2_stream_of_somebody_impersonated_ends_with_the_session() -> None:
    await User.objects.acreate(username="bob")
    async with a_client(where="/as_bob/") as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()


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


async def test_inv2_stream_that_loses_a_cancellation_ends_with_its_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_SECONDS", 0.05)
    async with a_client(where="/deaf/") as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()  # it is complete
    await nothing_is_left()


async def test_inv2_stream_that_looks_its_user_up_late_ends_with_its_session() -> None:
    async with a_client(where="/lazy/") as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()  # it is complete
    await nothing_is_left()


async def test_inv2_stream_that_swallows_cancellations_says_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is cancelled until it stops, and its author finds one line for it in the log."""
    monkeypatch.setattr(streams, "PATIENCE_SECONDS", 0.02)
    async with a_client(where="/stubborn/") as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()  # it is complete
    assert caplog.text.count("goes on to wait after its session has ended") == 1


async def test_inv2_stream_of_a_task_group_ends_with_its_session() -> None:
    async with a_client(where="/in_scopes/") as said:
        await registry.aend(await UserSession.objects.aget(), EndReason.REVOKED)
        assert "body" not in await said.get()  # it is complete
    await nothing_is_left()


async def test_nothing_is_left_when_the_client_leaves_a_stream_of_a_task_group() -> None:
    async with a_client(where="/in_scopes/"):
        pass
    await nothing_is_left()


@pytest.mark.parametrize("chunks", ALL_OF)
async def test_stream_may_keep_what_belongs_to_its_task_from_chunk_to_chunk(
    chunks: Callable[[], AsyncIterator[str]],
) -> None:
    async with a_request(f"/{chunks.__name__}/") as (said, _, site):
        assert (await said.get())["status"] == 200
        for chunk in ALL_OF[chunks]:
            assert (await said.get())["body"] == chunk
        assert "body" not in await said.get()  # it is complete
        await site


async def test_stream_that_is_broken_off_is_not_complete() -> None:
    async with a_request("/broken_off/") as (said, _, site):
        assert (await said.get())["status"] == 200
        assert (await said.get())["body"] == b"begun"
        await asyncio.wait({site})  # Django 6.1 lets the cancellation through
        assert said.empty()


@pytest.mark.parametrize(("method", "says"), [("GET", False), ("HEAD", True)])
async def test_inv10_stream_that_may_be_cut_says_no_length(method: str, says: bool) -> None:
    """Clients would wait for the rest, and servers fail; of a HEAD there is no rest."""
    async with a_request("/of_a_context/", method=method) as (said, _, site):
        names = {name.lower() for name, _ in (await said.get())["headers"]}
        assert (b"content-length" in names) == says
        await site
