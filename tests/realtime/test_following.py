"""Invariants 2 and 9 where the user of a websocket is not the one whom its cookie knows."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.auth import get_user, login
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User
from django.db import transaction

from live_single_session.models import EndReason, UserSession
from live_single_session.routing import SingleSessionMiddlewareStack
from tests.helpers.browsers import AsyncBrowser, reasons
from tests.helpers.engines import use_engine

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/ws/anything/"
WHO = "?"


class SignsIn(AsyncWebsocketConsumer):
    """Signs in whom it is told to, and says who is signed in."""

    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        if text_data != WHO:
            await login(self.scope, await User.objects.aget(username=text_data))
            await sync_to_async(self.scope["session"].save)()
        await self.send(text_data=str(await get_user(self.scope)))


application = SingleSessionMiddlewareStack(SignsIn.as_asgi())


async def bob_by_a_token(scope: Any, receive: Any, send: Any) -> None:
    """What a middleware of the site's own does, around the stack."""
    scope = {**scope, "user": await User.objects.aget(username="bob")}
    await application(scope, receive, send)


async def ask(socket: Any, name: str = WHO) -> str:
    await socket.send_to(text_data=name)
    answer: str = await socket.receive_from()
    return answer


@pytest.fixture(params=["db", "cache"])
def engine(request, settings, monkeypatch, tmp_path):
    use_engine(request.param, settings, monkeypatch, tmp_path / "sessions")


@pytest.mark.usefixtures("engine", "alice")
async def test_inv2_socket_that_signs_in_ends_with_its_session():
    async with AsyncBrowser().websocket(PATH, application=application) as socket:
        assert await ask(socket) == "AnonymousUser"
        assert await ask(socket, "alice") == "alice"
        await AsyncBrowser().sign_in()
        assert await socket.close_code() == 4001


@pytest.mark.usefixtures("engine", "alice", "bob")
async def test_inv9_socket_that_signs_somebody_else_in_stays_open():
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.websocket(PATH, application=application) as socket:
        assert await ask(socket) == "alice"
        assert await ask(socket, "bob") == "bob"
        assert await sync_to_async(reasons)() == [EndReason.USER_SWITCHED, ""]
        assert await socket.receive_nothing(timeout=0.5)
        assert await ask(socket) == "bob"
        await AsyncBrowser().sign_in("bob")
        assert await socket.close_code() == 4001


@pytest.mark.usefixtures("alice", "bob")
async def test_inv9_socket_of_a_token_is_none_of_the_session_beside_it():
    browser = AsyncBrowser()
    await browser.sign_in()
    async with (
        browser.websocket(PATH, application=bob_by_a_token) as socket,
        browser.websocket(PATH, application=application) as own,
    ):
        await AsyncBrowser().sign_in()
        assert await own.close_code() == 4001
        assert await socket.receive_nothing(timeout=0.5)
    async with browser.websocket(PATH, application=bob_by_a_token) as socket:
        assert socket.accepted
        assert await socket.receive_nothing(timeout=0.5)


@pytest.mark.usefixtures("alice")
async def test_a_sign_in_that_is_rolled_back_is_not_watched():
    """Nothing is watched that was never there: the socket would be closed."""

    def in_vain(session: Any) -> None:
        with transaction.atomic():
            session.save()
            transaction.set_rollback(True)

    class InVain(SignsIn):
        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await login(self.scope, await User.objects.aget(username=text_data))
            await sync_to_async(in_vain)(self.scope["session"])
            await self.send(text_data="done")

    app = SingleSessionMiddlewareStack(InVain.as_asgi())
    async with AsyncBrowser().websocket(PATH, application=app) as socket:
        assert await ask(socket, "alice") == "done"
        assert await socket.receive_nothing(timeout=0.5)
    assert not await UserSession.objects.aexists()


async def test_inv10_session_of_another_kind_is_left_alone():
    """A middleware of the site's own has put it there."""

    async def with_a_dict(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "session": {}}, receive, send)

    async with AsyncBrowser().websocket(PATH, application=with_a_dict) as socket:
        assert socket.accepted
