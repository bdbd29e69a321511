"""Telling the tabs: whatever the channel layer does, the login notices nothing."""

import asyncio
import json
import logging
import uuid
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, get_channel_layer
from django.contrib import auth
from django.core.asgi import get_asgi_application
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.realtime import push
from live_single_session.realtime.push import group_of
from live_single_session.registry import db, maintenance
from live_single_session.signals import session_ended, session_started
from tests.helpers.browsers import PATIENCE, AsyncBrowser, Browser
from tests.site import views
from tests.site.people import credentials

pytestmark = pytest.mark.django_db(transaction=True)


site_s_own_hook = Signal()


@csrf_exempt
def login_in_a_transaction(request):
    with transaction.atomic():
        response = views.login(request)
        transaction.on_commit(lambda: site_s_own_hook.send(None))
    return response


urlpatterns = [
    path("login-in-a-transaction/", login_in_a_transaction),
    path("", include("tests.urls")),
]


class RaisingLayer(InMemoryChannelLayer):
    """Its Redis is gone."""

    async def group_send(self, group, message):
        raise ConnectionError("redis://:secret-password@127.0.0.1 is gone")


class HangingLayer(InMemoryChannelLayer):
    """Its Redis is silent."""

    def __init__(self, given_up=lambda: None, **kwargs):
        super().__init__(**kwargs)
        self.log = []
        self.given_up = given_up

    async def group_send(self, group, message):
        self.log.append("asked")
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("given up")
            self.given_up()


class GatedLayer(InMemoryChannelLayer):
    """It sends when it is told to."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.asked, self.open = asyncio.Event(), asyncio.Event()

    async def group_send(self, group, message):
        self.asked.set()
        await self.open.wait()
        await super().group_send(group, message)


class BusyLayer(InMemoryChannelLayer):
    """Counts how many messages it is given at once."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.sent = self.now = self.most = 0

    async def group_send(self, group, message):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        self.sent += 1


class RecordingLayer(InMemoryChannelLayer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.sent = []

    async def group_send(self, group, message):
        self.sent.append((group, message))
        await super().group_send(group, message)


def end_everybodys(request):
    return HttpResponse(maintenance.end_many(UserSession.objects.all(), EndReason.REVOKED))


def end_in_another_loop(request):
    """Synchronous code in an event loop of the view's own, which Django lets use a cache."""
    bool(request.user.is_authenticated)

    async def sign_out():
        auth.logout(request)

    asyncio.run(sign_out())
    return HttpResponse("done")


urlpatterns += [
    path("end-everybodys/", end_everybodys),
    path("end-in-another-loop/", end_in_another_loop),
]


def use(settings, layer, **config):
    name = f"{__name__}.{layer.__name__}"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": name, "CONFIG": config}}
    return get_channel_layer()


faults = pytest.mark.parametrize(
    "layer", [RaisingLayer, HangingLayer], ids=lambda c: c.__name__
)


@pytest.fixture(autouse=True)
def _short_patience(settings):
    settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": 0.05}


# Faults


@faults
@pytest.mark.parametrize("url", ["/api/login/", "/async/api/login/"])
def test_inv5_a_login_notices_no_fault(settings, alice, layer, url, heard, caplog):
    use(settings, layer)
    old, new = Browser(), Browser()
    old.sign_in(path=url)
    new.sign_in(path=url)
    assert (old.who(), new.who()) == (None, "alice")
    assert sorted(event for event, _ in heard) == ["ended", "started", "started"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "secret" not in caplog.text


@faults
@pytest.mark.parametrize("url", ["/api/login/", "/async/api/login/"])
async def test_inv5_a_login_under_asgi_notices_no_fault(settings, alice, layer, url):
    use(settings, layer)
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.sign_in(path=url)
    await new.sign_in(path=url)
    assert (await old.who(), await new.who()) == (None, "alice")


@faults
def test_inv5_code_without_a_request_notices_no_fault(settings, alice, layer):
    Browser().sign_in()
    use(settings, layer)
    assert registry.end_all(alice, EndReason.REVOKED) == 1


def test_inv5_a_login_that_ends_several_sessions_waits_once(settings, alice, bob, caplog):
    browser = Browser()
    browser.sign_in("alice")
    Browser().sign_in("bob")
    use(settings, HangingLayer)
    browser.sign_in("bob")
    assert _reasons() == {"superseded", "user_switched"}
    assert caplog.text.count("The channel layer failed (TimeoutError, at ") == 1


async def test_inv5_a_login_under_asgi_that_ends_several_sessions_waits_once(
    settings, alice, bob
):
    def be_patient():
        settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": 100 * PATIENCE}

    browser = AsyncBrowser()
    await browser.sign_in("alice")
    await AsyncBrowser().sign_in("bob")
    use(settings, HangingLayer, given_up=be_patient)
    async with asyncio.timeout(PATIENCE):
        await browser.sign_in("bob")
    assert await sync_to_async(_reasons)() == {"superseded", "user_switched"}


@pytest.mark.urls(__name__)
async def test_inv4_a_request_that_ends_the_sessions_of_many_needs_one_connection(
    settings, django_user_model
):
    """The clients of Redis have a limit, and what is beyond it would be lost."""
    settings.LIVE_SINGLE_SESSION = {}

    def sign_everybody_in():
        for number in range(30):
            user = django_user_model.objects.create_user(f"user{number}", password="pw")
            Browser().force_login(user)

    await sync_to_async(sign_everybody_in)()
    layer = use(settings, BusyLayer)
    answer = await AsyncBrowser().get("/end-everybodys/")
    assert (answer.content, layer.sent, layer.most) == (b"30", 30, 1)


@pytest.mark.urls(__name__)
async def test_a_view_may_end_a_session_in_an_event_loop_of_its_own(settings, alice):
    settings.SESSION_ENGINE = "live_single_session.backends.cache"
    browser = AsyncBrowser()
    await browser.sign_in()
    assert (await browser.get("/end-in-another-loop/")).status_code == 200
    assert await UserSession.objects.live().acount() == 0


async def test_inv4_a_login_under_asgi_is_answered_when_the_tabs_were_told(settings, alice):
    layer = use(settings, GatedLayer)
    settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": PATIENCE}
    await AsyncBrowser().sign_in()
    request = await _login_request("/api/login/")
    await layer.asked.wait()
    assert await request.receive_nothing()
    layer.open.set()
    assert (await request.receive_output(PATIENCE))["status"] == 200
    await request.wait(PATIENCE)


def test_inv5_a_silent_layer_is_waited_for_once(settings, django_user_model, caplog):
    """A transaction that ends the sessions of many users waits as long as one of one."""
    for number in range(5):
        django_user_model.objects.create_user(f"user{number}", password="pw")
    for user in django_user_model.objects.all():
        Browser().force_login(user)
    use(settings, HangingLayer)
    with transaction.atomic():
        for user in django_user_model.objects.all():
            user.is_active = False
            user.save()
    assert _reasons() == {"deactivated"}
    assert UserSession.objects.live().count() == 0
    assert caplog.text.count("The channel layer failed (TimeoutError") == 1


def test_inv4_a_layer_that_answers_again_is_heard(settings, alice):
    use(settings, HangingLayer)
    Browser().sign_in()
    Browser().sign_in()
    assert push.silence.is_remembered()
    layer = use(settings, RecordingLayer)
    Browser().sign_in()
    assert len(layer.sent) == 1
    assert not push.silence.is_remembered()


def test_inv2_sessions_of_many_end_before_anybody_is_told(settings, alice, bob, monkeypatch):
    Browser().sign_in("alice")
    Browser().sign_in("bob")
    live_when_told = []
    monkeypatch.setattr(db, "CHUNK", 1)

    def note(**kwargs):
        live_when_told.append(UserSession.objects.live().count())

    session_ended.connect(note, weak=False)
    try:
        assert maintenance.end_many(UserSession.objects.all(), EndReason.REVOKED) == 2
    finally:
        session_ended.disconnect(note)
    assert live_when_told == [0, 0]


class LayerThatNobodyCanMake(InMemoryChannelLayer):
    def __init__(self, **kwargs):
        raise KeyError("address")


def test_inv5_a_layer_whose_constructor_raises_is_in_the_log(settings, alice, caplog):
    """Channels takes it for none where it raises a KeyError."""
    use(settings, LayerThatNobodyCanMake)
    Browser().sign_in()
    Browser().sign_in()
    assert "The channel layer can't be made (KeyError)" in caplog.text


def _reasons():
    return set(UserSession.objects.ended().values_list("end_reason", flat=True))


async def test_inv5_a_layer_at_capacity_delays_no_login(settings, alice):
    layer = use(settings, RecordingLayer, capacity=1)
    full = await layer.new_channel()
    await layer.group_add(group_of(alice.pk, "default"), full)
    browsers = [AsyncBrowser() for _ in range(4)]
    for browser in browsers:
        await browser.sign_in()
    assert [await browser.who() for browser in browsers] == [None] * 3 + ["alice"]


def test_inv5_without_a_layer_a_login_goes_on(settings, alice):
    settings.CHANNEL_LAYERS = {}
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    assert (old.who(), new.who()) == (None, "alice")


def test_inv5_a_layer_that_can_not_be_made_fails_no_login(settings, alice):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "no.such.Layer"}}
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    assert (old.who(), new.who()) == (None, "alice")


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("url", ["/async/api/login/", "/login-in-a-transaction/"])
async def test_inv5_a_client_that_hangs_up_stops_neither_telling_nor_later_hooks(
    settings, alice, url
):
    layer = use(settings, GatedLayer)
    settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": PATIENCE}
    later = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear(**kwargs):
        loop.call_soon_threadsafe(later.set)

    old = AsyncBrowser()
    await old.sign_in()
    later_hook = session_started if url.startswith("/async/") else site_s_own_hook
    later_hook.connect(hear)
    try:
        async with old.socket() as socket, asyncio.timeout(PATIENCE):
            await socket.frame()
            request = await _login_request(url)
            await layer.asked.wait()
            await request.send_input({"type": "http.disconnect"})
            await later.wait()
            await request.wait(timeout=PATIENCE)
            layer.open.set()
            assert (await socket.frame())["reason"] == "superseded"
    finally:
        later_hook.disconnect(hear)


async def _login_request(url):
    body = json.dumps(credentials("alice")).encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": url,
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"content-length", str(len(body)).encode())],
    }
    communicator = ApplicationCommunicator(get_asgi_application(), scope)
    await communicator.send_input({"type": "http.request", "body": body})
    return communicator


# Messages


def test_one_message_names_all_sessions_that_ended_together(settings, alice, bob):
    layer = use(settings, RecordingLayer)
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    for name in ["alice", "alice", "alice", "bob"]:
        Browser().sign_in(name)
    registry.end_all(alice, EndReason.REVOKED)
    ((group, message),) = layer.sent
    assert group == group_of(alice.pk, "default")
    ended = {str(row.pk) for row in UserSession.objects.of(alice)}
    assert {packed["session"] for packed in message["ended"]} == ended
    assert len(ended) == 3


def test_inv3_nothing_is_sent_before_the_commit_or_after_a_rollback(settings, alice, heard):
    Browser().sign_in()
    heard.clear()
    layer = use(settings, RecordingLayer)
    with transaction.atomic():
        registry.end_all(alice, EndReason.REVOKED)
        assert (heard, layer.sent) == ([], [])
        transaction.set_rollback(True)
    assert (heard, layer.sent) == ([], [])
    with transaction.atomic():
        registry.end_all(alice, EndReason.REVOKED)
        assert (heard, layer.sent) == ([], [])
    assert len(heard) == len(layer.sent) == 1


def test_inv7_no_key_is_in_a_message(settings, alice):
    layer = use(settings, RecordingLayer)
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    digests = UserSession.objects.values_list("key_digest", flat=True)
    for secret in [old.cookie, new.cookie, *digests]:
        assert secret not in repr(layer.sent)


@pytest.mark.parametrize(
    "user_pk", [1, -1, uuid.uuid4(), "ö@example.com", "x" * 1000, "", Decimal("1.5"), (1, 2)]
)
def test_a_group_s_name_is_valid_for_every_layer(user_pk):
    name = group_of(user_pk, "default")
    assert BaseChannelLayer().require_valid_group_name(name)
    assert len(name) < 100


def test_groups_differ_by_user_database_and_user_model(settings):
    names = {group_of(1, "default"), group_of(2, "default"), group_of(1, "other")}
    settings.AUTH_USER_MODEL = "custom.User"
    assert len(names | {group_of(1, "default")}) == 4


# Receivers


@pytest.fixture
def _broken_receiver():
    def broken(**kwargs):
        raise RuntimeError("a receiver of the site is broken")

    session_started.connect(broken)
    session_ended.connect(broken)
    yield
    session_started.disconnect(broken)
    session_ended.disconnect(broken)


@pytest.mark.usefixtures("_broken_receiver", "heard")
def test_inv5_a_receiver_that_raises_harms_nobody(alice, heard, caplog):
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    assert (old.who(), new.who()) == (None, "alice")
    assert sorted(event for event, _ in heard) == ["ended", "started", "started"]
    assert "a receiver of the site is broken" in caplog.text


def test_signals_carry_the_session_and_what_ended_with_it(alice):
    ended = []

    def hear(sender, session, batch, **kwargs):
        ended.append((sender, session.end_reason, session.replaced_by, batch))

    session_ended.connect(hear)
    try:
        Browser().sign_in()
        Browser().sign_in()
    finally:
        session_ended.disconnect(hear)
    old, new = UserSession.objects.order_by("serial")
    assert ended == [(UserSession, "superseded", new, (old,))]
