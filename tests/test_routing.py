"""Who is at the other end of a websocket: found out without touching the session."""

import json

import pytest
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.urls import path

from live_single_session import registry
from live_single_session.backends.db import SessionStore
from live_single_session.models import EndReason, UserSession
from live_single_session.realtime.guard import Guard
from live_single_session.routing import (
    SingleSessionMiddlewareStack,
    user_of,
    websocket_urlpatterns,
)
from tests.helpers.browsers import PATIENCE, AsyncBrowser, Browser
from tests.site.consumers import ChatConsumer

pytestmark = pytest.mark.django_db(transaction=True)


async def tell_user(scope, receive, send):
    """An app that says who is there."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(str(scope["user"]))})
    await receive()


def stored():
    return list(Session.objects.values_list())


@pytest.fixture
def signed_in(alice):
    """A session of alice, loaded anew."""
    browser = Browser()
    browser.sign_in()
    return SessionStore(browser.cookie)


def test_the_user_of_a_session_is_found(signed_in, alice):
    assert user_of(signed_in) == alice


def test_an_empty_session_is_nobody_s(db):
    assert user_of(SessionStore()) == AnonymousUser()


def test_a_rotated_secret_signs_nobody_out(signed_in, settings, alice):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    before = stored()
    assert user_of(signed_in) == alice
    assert (signed_in.modified, stored()) == (False, before)


def _change_secret(settings, alice):
    settings.SECRET_KEY = "another"


def _change_password(settings, alice):
    type(alice).objects.update(password="another")


def _deactivate(settings, alice):
    type(alice).objects.update(is_active=False)


def _remove_backend(settings, alice):
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.RemoteUserBackend"]


@pytest.mark.parametrize(
    "change", [_change_secret, _change_password, _deactivate, _remove_backend]
)
def test_a_session_that_is_no_longer_valid_is_nobody_s_and_is_left_alone(
    signed_in, settings, alice, change
):
    change(settings, alice)
    before = stored()
    assert user_of(signed_in) == AnonymousUser()
    assert (signed_in.modified, stored()) == (False, before)


def test_a_user_who_is_gone_is_nobody(signed_in, alice):
    UserSession.objects.all().delete()
    alice.delete()
    assert user_of(signed_in) == AnonymousUser()


async def test_a_websocket_of_the_site_knows_its_user_and_keeps_its_session(alice, settings):
    browser = AsyncBrowser()
    await browser.sign_in()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    stack = SingleSessionMiddlewareStack(tell_user)
    async with browser.websocket("/ws/", application=stack) as socket:
        assert await socket.frame() == "alice"
    assert await browser.who() == "alice"


async def test_a_visitor_s_websocket_is_served(db):
    stack = SingleSessionMiddlewareStack(tell_user)
    async with AsyncBrowser().websocket("/ws/", application=stack) as socket:
        assert await socket.frame() == "AnonymousUser"


@pytest.mark.parametrize(
    "stack",
    [SingleSessionMiddlewareStack, lambda app: AuthMiddlewareStack(Guard(app))],
    ids=["our stack", "channels' stack"],
)
async def test_inv2_a_websocket_of_the_site_ends_with_the_session(alice, stack):
    browser = AsyncBrowser()
    await browser.sign_in()
    app = stack(URLRouter([path("ws/chat/", ChatConsumer.as_asgi())]))
    async with browser.websocket("/ws/chat/", application=app) as socket:
        await socket.send_to("hello")
        assert await socket.receive_from(timeout=PATIENCE) == "hello"
        await registry.aend_all(alice, EndReason.REVOKED)
        assert await socket.close_code() == 4001


async def test_our_own_websocket_works_in_channels_stack_too(alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    app = AuthMiddlewareStack(Guard(URLRouter(websocket_urlpatterns)))
    async with browser.socket(application=app) as socket:
        row = await UserSession.objects.aget()
        assert await socket.frame() == {"type": "session.ready", "session": str(row.pk)}
        await registry.aend_all(alice, EndReason.REVOKED)
        assert (await socket.frame())["reason"] == "revoked"
        assert await socket.close_code() == 4001


async def test_an_app_in_the_stack_is_started_by_its_server():
    """By a lifespan, which has neither cookies nor a user."""
    started = []

    async def app(scope, receive, send):
        started.append(scope["type"])

    await SingleSessionMiddlewareStack(app)({"type": "lifespan"}, None, None)
    assert started == ["lifespan"]


@pytest.mark.parametrize("prefix", ["", "/app"])
async def test_inv2_at_our_path_there_is_our_own_websocket_and_nothing_else(alice, prefix):
    """Also where a consumer of the site's takes any path, and would be reached unguarded."""
    browser = AsyncBrowser()
    await browser.sign_in()
    stack = SingleSessionMiddlewareStack(tell_user)

    async def below_a_prefix(scope, receive, send):
        await stack(
            {**scope, "path": prefix + scope["path"], "root_path": prefix}, receive, send
        )

    async with browser.socket(application=below_a_prefix) as socket:
        assert (await socket.frame())["type"] == "session.ready"
        await registry.aend_all(alice, EndReason.REVOKED)
        assert (await socket.frame())["reason"] == "revoked"
        assert await socket.close_code() == 4001
