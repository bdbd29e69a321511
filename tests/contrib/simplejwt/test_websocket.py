"""Websockets by token: what the app inside sees of it, and where the middleware may stand."""

import uuid

import pytest
from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.urls import path

from live_single_session import registry
from live_single_session.contrib.simplejwt import JWTAuthMiddleware, sign_in
from live_single_session.contrib.simplejwt.websocket import (
    SUBPROTOCOL,
    TokenSession,
    token_in,
    without_credentials,
)
from live_single_session.models import EndReason
from live_single_session.routing import SingleSessionMiddlewareStack, websocket_urlpatterns
from tests.servers.waiting import await_until

TOKEN = "head.body.signature"

pytestmark = pytest.mark.django_db(transaction=True)


class Mirror(AsyncJsonWebsocketConsumer):
    """Says whose socket it is, and what of its scope could give a secret away."""

    async def connect(self):
        await self.accept()
        scope = {key: self.scope[key] for key in ("headers", "query_string", "subprotocols")}
        user = self.scope["user"]
        await self.send_json({"user": user.get_username(), "scope": repr(scope)})


class Choosy(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.accept(subprotocol="graphql-ws")


routes = URLRouter(
    [
        *websocket_urlpatterns,
        path("mirror/", Mirror.as_asgi()),
        path("choosy/", Choosy.as_asgi()),
    ]
)

around = JWTAuthMiddleware(SingleSessionMiddlewareStack(routes))
inside = SingleSessionMiddlewareStack(JWTAuthMiddleware(routes))
alone = JWTAuthMiddleware(routes)


class Patient(WebsocketCommunicator):
    """A client that waits as long as a busy machine needs."""

    async def receive_output(self, timeout=30):  # noqa: ASYNC109 - as Channels has it
        return await super().receive_output(max(timeout, 30))


def socket(application, where, *offered, query="", cookie=""):
    headers = [
        (b"sec-websocket-protocol", ", ".join(offered).encode()),
        (b"cookie", cookie.encode()),
    ]
    return Patient(application, where + query, headers=headers, subprotocols=list(offered))


async def closed_with(communicator):
    output = await communicator.receive_output()
    assert output["type"] == "websocket.close", output
    return output["code"]


@pytest.fixture
async def token(alice):
    return (await sync_to_async(sign_in)(alice, None))["access"]


@pytest.mark.parametrize("application", [around, inside, alone])
async def test_inv2_a_site_s_socket_is_closed_with_the_session(application, alice, token):
    chat = socket(application, "/mirror/", SUBPROTOCOL, token)
    assert await chat.connect() == (True, SUBPROTOCOL)
    assert (await chat.receive_json_from())["user"] == "alice"
    assert await registry.aend_all(alice, EndReason.REVOKED) == 1
    assert await closed_with(chat) == 4001


@pytest.mark.parametrize("application", [around, inside, alone])
async def test_inv2_an_ended_session_opens_no_socket(application, alice, token):
    await registry.aend_all(alice, EndReason.REVOKED)
    chat = socket(application, "/mirror/", SUBPROTOCOL, token)
    assert await chat.connect() == (True, SUBPROTOCOL)
    assert await closed_with(chat) == 4001
    told = socket(application, "/ws/live-single-session/", SUBPROTOCOL, token)
    assert await told.connect() == (True, SUBPROTOCOL)
    assert (await told.receive_json_from())["reason"] == "revoked"
    assert await closed_with(told) == 4001


async def test_the_socket_of_a_user_who_is_gone(alice, token):
    await alice.adelete()
    told = socket(around, "/ws/live-single-session/", SUBPROTOCOL, token)
    await told.connect()
    assert (await told.receive_json_from())["reason"] is None
    assert await closed_with(told) == 4001


@pytest.mark.parametrize("bad", ["", "x", TOKEN, "x" * 20_000, "é"])
async def test_a_bad_token_is_nobody(bad, alice):
    mirror = socket(around, "/mirror/", SUBPROTOCOL, bad)
    await mirror.connect()
    assert (await mirror.receive_json_from())["user"] == ""
    await mirror.disconnect()
    told = socket(around, "/ws/live-single-session/", SUBPROTOCOL, bad)
    await told.connect()
    assert await closed_with(told) == 4003


async def test_inv7_the_app_inside_never_sees_the_token(alice, token, settings):
    settings.LIVE_SINGLE_SESSION_JWT = {"WEBSOCKET_QUERY_PARAMETER": "token"}
    mirror = socket(
        around,
        "/mirror/",
        SUBPROTOCOL,
        token,
        "graphql-ws",
        query=f"?token={token}&page=2",
        cookie="theme=dark; sessionid=secret; sessionidentity=7",
    )
    await mirror.connect()
    seen = (await mirror.receive_json_from())["scope"]
    assert token not in seen
    assert "secret" not in seen
    for kept in (SUBPROTOCOL, "graphql-ws", "page=2", "theme=dark", "sessionidentity=7"):
        assert kept in seen
    await mirror.disconnect()


async def test_the_app_inside_may_choose_another_subprotocol(alice, token):
    choosy = socket(around, "/choosy/", SUBPROTOCOL, token, "graphql-ws")
    assert await choosy.connect() == (True, "graphql-ws")
    await choosy.disconnect()


async def test_a_token_without_sid_that_is_accepted(alice, settings):
    from rest_framework_simplejwt.tokens import AccessToken

    settings.LIVE_SINGLE_SESSION_JWT = {"TOKENS_WITHOUT_SID": "accept"}
    mirror = socket(around, "/mirror/", SUBPROTOCOL, str(AccessToken.for_user(alice)))
    await mirror.connect()
    assert (await mirror.receive_json_from())["user"] == "alice"
    await mirror.disconnect()


async def test_a_refresh_token_opens_no_socket(alice):
    refresh = (await sync_to_async(sign_in)(alice, None))["refresh"]
    told = socket(around, "/ws/live-single-session/", SUBPROTOCOL, refresh)
    await told.connect()
    assert await closed_with(told) == 4003


async def test_a_socket_without_a_token_is_the_cookie_s(alice):
    told = socket(around, "/ws/live-single-session/", "graphql-ws")
    assert await told.connect() == (True, "graphql-ws")
    assert await closed_with(told) == 4003


# Scopes


def scope(**changes):
    return {"type": "websocket", "headers": [], "subprotocols": [], **changes}


def test_the_token_is_what_follows_the_name():
    assert token_in(scope(subprotocols=[SUBPROTOCOL, TOKEN])) == TOKEN
    assert token_in(scope(subprotocols=["chat", SUBPROTOCOL, TOKEN, "more"])) == TOKEN
    assert token_in(scope(subprotocols=[SUBPROTOCOL])) == ""
    assert token_in(scope(subprotocols=["chat", TOKEN])) is None
    assert token_in(scope(query_string=b"token=" + TOKEN.encode())) is None
    assert token_in({"type": "http", "headers": []}) is None


def test_a_scope_is_not_changed_for_others():
    headers = [(b"cookie", b"sessionid=secret"), (b"host", b"localhost")]
    original = scope(headers=headers, subprotocols=[SUBPROTOCOL, TOKEN])
    cleaned = without_credentials(original)
    assert original["subprotocols"] == [SUBPROTOCOL, TOKEN]
    assert original["headers"] == headers == [(b"cookie", b"sessionid=secret"), headers[1]]
    assert cleaned["subprotocols"] == [SUBPROTOCOL]
    assert cleaned["headers"] == [(b"cookie", b""), (b"host", b"localhost")]


def test_a_token_s_session_is_kept_nowhere():
    session_id = uuid.uuid4()
    session = TokenSession(live=session_id)
    session["cart"] = [1]
    session.create()
    session.save()
    assert session["cart"] == [1]
    assert session.exists("key") is False
    session.flush()
    assert session.load() == {}
    assert session.get("cart") is None
    assert str(session_id) not in repr(session)


async def test_nothing_of_it_is_left_behind(alice, token):
    from live_single_session.realtime.watcher import get_watcher

    chat = socket(around, "/mirror/", SUBPROTOCOL, token)
    await chat.connect()
    await chat.receive_json_from()
    await chat.disconnect()
    await await_until(lambda: not get_watcher()._waiters, "the watch to be empty")
