"""What chaos and fuzzing have found, each in its smallest form."""

import logging
from typing import Any

import pytest
from autobahn.exception import Disconnected

from live_single_session.conf import conf
from live_single_session.models import UserSession
from live_single_session.registry import engine, events
from tests.asgi import application
from tests.helpers.browsers import AsyncBrowser, Browser
from tests.helpers.proxy import Proxy
from tests.servers.process import free_port
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("room", "hook"),
    [(events, "send_started"), (events, "send_ended"), (engine, "forget_cached")],
)
def test_inv3_a_login_that_is_committed_does_not_fail_by_what_comes_after(
    alice: Any,
    room: Any,
    hook: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    """The database can go away between the commit and the hooks."""
    if hook == "forget_cached":  # where sessions are cleaned up on commit
        settings.SESSION_ENGINE = "live_single_session.backends.cached_db"
    Browser().sign_in()

    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(room, hook, fail)
    browser = Browser()
    with caplog.at_level(logging.ERROR):
        browser.sign_in()
    assert "ZeroDivisionError" in caplog.text
    assert browser.who() == "alice"
    assert UserSession.objects.live().count() == 1


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("gone", [Disconnected, ConnectionResetError])
async def test_a_tab_that_leaves_at_once_is_no_error(
    alice: Any, gone: type[Exception], ended: bool
) -> None:
    """Before it is told that it is watched for, or why it is not."""
    browser = AsyncBrowser()
    await browser.sign_in()
    if ended:
        await AsyncBrowser().sign_in()
    says = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]
    heard = []

    async def receive() -> Any:
        return says.pop(0)

    async def send(message: Any) -> None:
        heard.append(message["type"])
        if message["type"] != "websocket.accept":
            raise gone

    cookie = f"sessionid={browser.cookie}".encode()
    scope = {
        "type": "websocket",
        "path": conf.WEBSOCKET_PATH,
        "query_string": b"",
        "headers": [(b"host", b"site"), (b"origin", b"http://site"), (b"cookie", cookie)],
    }
    await application(scope, receive, send)
    expected = ["websocket.send", "websocket.close"] if ended else ["websocket.send"]
    assert heard == ["websocket.accept", *expected]


def test_inv6_cache_that_is_away_for_a_moment_keeps_no_empty_session(
    redis: RedisServer, settings: Any, request: pytest.FixtureRequest
) -> None:
    """Django caches a new key before there is anything in it, and carries on without a cache.

    Whoever signed in at that moment would be nobody until that empty session expires.
    """
    link = Proxy(redis.port)
    request.addfinalizer(link.close)
    link.start()
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": link.url}}
    settings.SESSION_ENGINE = "live_single_session.backends.cached_db"
    session = engine.store_class()()
    session.create()
    link.target = free_port()  # nobody is there
    link.cut()
    session["color"] = "red"
    session.save()
    link.target = redis.port
    assert engine.store_class()(session.session_key).load() == {"color": "red"}
