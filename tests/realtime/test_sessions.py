"""Invariant 10 around ASGI apps: what the stack stores of their sessions."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import login, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from live_single_session.routing import SingleSessionMiddlewareStack
from tests.helpers.browsers import AsyncBrowser

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 10
ENGINES = ["db", "cached_db", "cache", "file", "signed_cookies"]


async def connect(app, browser, method="GET"):
    headers = [(b"cookie", f"sessionid={browser.cookie}".encode())]
    scope = {"type": "http", "method": method, "path": "/app/", "headers": headers}
    request = ApplicationCommunicator(SingleSessionMiddlewareStack(app), scope)
    await request.send_input({"type": "http.request", "body": b""})
    return request


async def answer_of(request):
    """The status, and the session cookie that the answer sets; None: none."""
    start = await request.receive_output(PATIENCE)
    await request.receive_output(PATIENCE)
    await request.wait(PATIENCE)
    names = [value for name, value in start["headers"] if name.lower() == b"set-cookie"]
    return start, names[0].decode().split(";")[0].partition("=")[2] if names else None


async def answer(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def reading(scope, receive, send):
    await answer(send)


async def signing_out(scope, receive, send):
    await logout(scope)
    await answer(send)


async def signing_in(scope, receive, send):
    await login(scope, await User.objects.aget(username="alice"))
    await answer(send)


def writing_when(go, running):
    async def app(scope, receive, send):
        running.set()
        await go.wait()
        scope["session"]["late"] = 1
        await answer(send)

    return app


@pytest.fixture
def engine(request, settings, tmp_path):
    settings.SESSION_ENGINE = f"live_single_session.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    return request.param


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_inv10_a_late_answer_is_sent_and_signs_nobody_out(engine, alice):
    browser, go, running = AsyncBrowser(), asyncio.Event(), asyncio.Event()
    await browser.sign_in()
    request = await connect(writing_when(go, running), browser)
    await asyncio.wait_for(running.wait(), PATIENCE)
    await AsyncBrowser().sign_in()  # ends it
    await browser.sign_in()  # in the same browser
    go.set()
    start, cookie = await answer_of(request)
    assert (start["status"], cookie) == (200, None)
    assert await browser.who() == "alice"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_inv10_a_change_of_the_app_is_stored(engine, alice):
    browser, go = AsyncBrowser(), asyncio.Event()
    go.set()
    await browser.sign_in()
    _, cookie = await answer_of(await connect(writing_when(go, asyncio.Event()), browser))
    assert cookie
    browser.cookies["sessionid"] = cookie
    assert await (await browser.asession()).aget("late") == 1
    assert await browser.who() == "alice"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_inv10_a_session_that_was_only_read_is_left_alone(engine, alice, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    browser = AsyncBrowser()
    await browser.sign_in()
    before = await sync_to_async(lambda: list(Session.objects.values_list()))()
    assert (await answer_of(await connect(reading, browser)))[1] is None
    assert await sync_to_async(lambda: list(Session.objects.values_list()))() == before


async def test_inv10_an_app_signs_out(alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    assert (await answer_of(await connect(signing_out, browser)))[1] == '""'
    assert await browser.who() is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_inv10_a_dead_cookie_is_left_alone_and_stops_no_sign_in(alice, method):
    browser = AsyncBrowser()
    await browser.sign_in()
    await AsyncBrowser().sign_in()
    before = await Session.objects.acount()
    start, cookie = await answer_of(await connect(reading, browser, method))
    assert (start["status"], cookie) == (401 if method == "GET" else 200, None)
    assert (b"session-ended", b"superseded") in start["headers"]
    assert await Session.objects.acount() == before
    _, cookie = await answer_of(await connect(signing_in, browser, "POST"))
    browser.cookies["sessionid"] = cookie
    assert await browser.who() == "alice"
