"""Signing in and out, whichever way it is done."""

import json
from contextlib import suppress

import pytest
from channels.auth import login as channels_login
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.sessions import SessionMiddlewareStack
from django.contrib import auth
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from live_single_session.backends.db import SessionStore
from live_single_session.models import SESSION_ID_KEY, EndReason, UserSession
from tests.helpers.browsers import AsyncBrowser, Browser, who
from tests.servers.waiting import PATIENCE
from tests.site.people import PASSWORD, credentials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class WrappedRequest:
    """What Django REST framework hands to its views."""

    def __init__(self, request):
        self._request = request

    def __getattr__(self, name):
        return getattr(self._request, name)


def _answer(request):
    return JsonResponse({"user": request.user.get_username() or None})


@csrf_exempt
def rest_login(request):
    wrapped = WrappedRequest(request)
    auth.login(wrapped, auth.authenticate(wrapped, **json.loads(request.body)))
    return _answer(request)


@csrf_exempt
def rest_logout(request):
    auth.logout(WrappedRequest(request))
    return JsonResponse({})


@csrf_exempt
def social_login(request):
    """A third party's: another backend, without a password, and a session of its own length."""
    user = User.objects.get(username=json.loads(request.body)["username"])
    auth.login(request, user, backend=MODEL_BACKEND)
    request.session.set_expiry(3600)
    return _answer(request)


@csrf_exempt
def token_login(request):
    """An API token's login, which announces itself by hand and has no session."""
    user = User.objects.get(username=json.loads(request.body)["username"])
    user_logged_in.send(sender=User, request=request, user=user)
    return _answer(request)


@csrf_exempt
def rolled_back_login(request):
    user = User.objects.get(username=json.loads(request.body)["username"])
    with transaction.atomic():
        auth.login(request, user)
        transaction.set_rollback(True)
    return _answer(request)


@csrf_exempt
def two_logins(request):
    """Of two users; as of somebody who signs in and then acts for somebody else."""
    for name in ("alice", "bob"):
        auth.login(request, User.objects.get(username=name), MODEL_BACKEND)
    return _answer(request)


@csrf_exempt
def flushed_login(request):
    """It signs in, and thinks better of it."""
    auth.login(request, User.objects.get(username="alice"), MODEL_BACKEND)
    request.session.flush()
    return JsonResponse({})


@csrf_exempt
def stubborn_login(request):
    """It answers as if nothing had happened, whatever happens."""
    with suppress(LookupError):
        auth.login(request, User.objects.get(username="alice"), MODEL_BACKEND)
    return _answer(request)


urlpatterns = [
    path("stubborn/login/", stubborn_login),
    path("two/logins/", two_logins),
    path("flushed/login/", flushed_login),
    path("rest/login/", rest_login),
    path("rest/logout/", rest_logout),
    path("social/login/", social_login),
    path("token/login/", token_login),
    path("rolled-back/login/", rolled_back_login),
    path("", include("tests.urls")),
]


def by_json(at):
    return lambda browser: browser.sign_in(path=at)


def by_form(at):
    def sign_in(browser):
        assert browser.post(at, {**credentials("alice"), "next": "/"}).status_code == 302

    return sign_in


WAYS = {
    "sync view": by_json("/api/login/"),
    "async view": by_json("/async/api/login/"),
    "LoginView": by_form("/accounts/login/"),
    "admin": by_form("/admin/login/"),
    "wrapped request": by_json("/rest/login/"),
    "third party": by_json("/social/login/"),
    "force_login": lambda browser: browser.force_login(User.objects.get(username="alice")),
    "test client": lambda browser: browser.login(**credentials("alice")),
}

each_way = pytest.mark.parametrize("sign_in", WAYS.values(), ids=WAYS)


@pytest.fixture(autouse=True)
def _everybody_is_staff(alice):
    User.objects.update(is_staff=True)


def states():
    rows = UserSession.objects.order_by("user__username", "serial")
    return [(row.user.username, row.end_reason) for row in rows.select_related("user")]


@each_way
def test_inv1_a_sign_in_ends_the_older_one_at_once(sign_in):
    old, new = Browser(), Browser()
    old.sign_in()
    sign_in(new)
    assert states() == [("alice", "superseded"), ("alice", "")]
    assert (old.who(), new.who()) == (None, "alice")
    assert not Session.objects.filter(session_key=old.cookie).exists()


@each_way
def test_inv2_each_way_of_signing_in_can_be_ended(sign_in):
    old, new = Browser(), Browser()
    sign_in(old)
    new.sign_in()
    assert states() == [("alice", "superseded"), ("alice", "")]
    assert (old.who(), new.who()) == (None, "alice")


@each_way
def test_inv6_a_second_sign_in_in_the_same_browser_ends_nothing(sign_in):
    browser = Browser()
    sign_in(browser)
    sign_in(browser)
    sign_in(browser)
    assert states() == [("alice", "")]
    assert browser.who() == "alice"


async def test_inv1_aforce_login_ends_the_older_one(alice):
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.sign_in()
    await new.aforce_login(alice)
    assert (await old.who(), await new.who()) == (None, "alice")


async def test_inv1_a_sync_login_view_under_asgi_ends_the_older_one():
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.sign_in()
    await new.sign_in(path="/api/login/")
    assert (await old.who(), await new.who()) == (None, "alice")


def test_the_session_carries_the_id_of_its_row():
    browser = Browser()
    browser.sign_in()
    row = UserSession.objects.get()
    assert browser.session[SESSION_ID_KEY] == str(row.pk)
    assert row.session_key == browser.cookie


def test_bob_notices_nothing_of_alice(bob):
    his, old, new = Browser(), Browser(), Browser()
    his.sign_in("bob")
    old.sign_in()
    new.sign_in()
    assert his.who() == "bob"
    assert states() == [("alice", "superseded"), ("alice", ""), ("bob", "")]


def test_another_user_in_the_same_browser_ends_the_first_one_s_session(bob):
    browser, elsewhere = Browser(), Browser()
    browser.sign_in("alice")
    browser.sign_in("bob")
    assert states() == [("alice", "user_switched"), ("bob", "")]
    elsewhere.sign_in("alice")
    assert browser.who() == "bob"


def test_another_user_in_the_same_browser_is_signed_out_elsewhere(bob):
    browser, elsewhere = Browser(), Browser()
    elsewhere.sign_in("bob")
    browser.sign_in("alice")
    browser.sign_in("bob")
    assert states() == [("alice", "user_switched"), ("bob", "superseded"), ("bob", "")]
    assert (browser.who(), elsewhere.who()) == ("bob", None)


def test_swapping_users_back_and_forth_leaves_one_session(bob):
    browser = Browser()
    for name in ["alice", "bob", "alice", "bob"]:
        browser.sign_in(name)
        assert browser.who() == name
    assert states() == [
        ("alice", "user_switched"),
        ("alice", "user_switched"),
        ("bob", "user_switched"),
        ("bob", ""),
    ]


def test_two_users_in_one_request_leave_one_session(bob):
    browser = Browser()
    browser.post("/two/logins/")
    assert browser.who() == "bob"
    assert states() == [("alice", "user_switched"), ("bob", "")]


def test_a_sign_in_that_is_flushed_leaves_no_session():
    browser = Browser()
    browser.post("/flushed/login/")
    assert browser.who() is None
    assert states() == [("alice", "logged_out")]


def test_a_user_who_signs_in_with_a_dead_cookie_is_signed_in():
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    old.sign_in()
    assert (old.who(), new.who()) == ("alice", None)
    assert states() == [("alice", "superseded"), ("alice", "superseded"), ("alice", "")]


@pytest.mark.parametrize("at", ["/api/logout/", "/async/api/logout/", "/rest/logout/"])
def test_signing_out_ends_the_session_for_all_tabs(at):
    browser = Browser()
    browser.sign_in()
    other_tab = Browser()
    other_tab.cookies["sessionid"] = browser.cookie
    response = browser.post(at)
    assert states() == [("alice", "logged_out")]
    assert "Session-Ended" not in response.headers
    assert other_tab.who() is None


def test_signing_out_tells_nothing_to_the_tab_that_did_it():
    browser = Browser()
    browser.sign_in()
    browser.post("/accounts/logout/")
    assert "Session-Ended" not in browser.get("/accounts/login/").headers
    assert browser.get("/accounts/login/").context["messages"]._loaded_data == []


def test_signing_out_with_a_dead_cookie_leaves_the_newer_session_alone():
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    old.post("/api/logout/")
    assert new.who() == "alice"
    assert states() == [("alice", "superseded"), ("alice", "")]


def test_signing_out_when_nobody_is_signed_in_is_harmless():
    Browser().post("/api/logout/")
    assert not UserSession.objects.exists()


# Sign-ins that are no session's


def test_a_login_that_has_no_request_ends_nothing(alice):
    browser = Browser()
    browser.sign_in()
    user_logged_in.send(sender=User, request=None, user=alice)
    assert states() == [("alice", "")]
    assert browser.who() == "alice"


def test_a_login_whose_request_has_no_session_ends_nothing(alice):
    browser = Browser()
    browser.sign_in()
    user_logged_in.send(sender=User, request=RequestFactory().post("/"), user=alice)
    user_logged_in.send(sender=User, request=HttpRequest(), user=alice)
    assert states() == [("alice", "")]
    assert browser.who() == "alice"


def test_a_token_s_login_ends_nothing(bob):
    browser = Browser()
    browser.sign_in("alice")
    Browser().post_json("/token/login/", {"username": "alice"})
    browser.post_json("/token/login/", {"username": "bob"})
    assert states() == [("alice", "")]
    assert browser.who() == "alice"


def test_a_login_in_a_management_command_is_a_session_like_any_other(alice):
    browser = Browser()
    browser.sign_in()
    request = HttpRequest()
    request.session = SessionStore()
    auth.login(request, alice, backend=MODEL_BACKEND)
    request.session.save()
    assert states() == [("alice", "superseded"), ("alice", "")]
    assert UserSession.objects.live().get().ip is None


class LoginConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        user = await User.objects.aget(username=text_data)
        await channels_login(self.scope, user, MODEL_BACKEND)
        await self.send(text_data="signed in")


async def test_a_login_over_a_websocket_ends_nothing():
    elsewhere, browser = AsyncBrowser(), AsyncBrowser()
    await elsewhere.sign_in()
    stack = SessionMiddlewareStack(LoginConsumer.as_asgi())
    async with browser.websocket("/ws/", application=stack) as socket:
        await socket.send_to("alice")
        assert await socket.receive_from(timeout=PATIENCE) == "signed in"
    assert await elsewhere.who() == "alice"
    assert await UserSession.objects.acount() == 1


# All or nothing


def test_inv3_a_login_that_is_rolled_back_ends_nothing_and_tells_nobody(heard):
    old, new = Browser(), Browser()
    old.sign_in()
    heard.clear()
    new.sign_in(path="/rolled-back/login/")
    assert heard == []
    assert states() == [("alice", "")]
    assert (old.who(), new.who()) == ("alice", None)


def test_inv3_a_first_login_that_is_rolled_back_signs_nobody_in():
    browser = Browser()
    browser.sign_in(path="/rolled-back/login/")
    assert browser.who() is None
    assert states() == []


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_inv3_a_login_that_is_rolled_back_leaves_its_own_browser_signed_in(name, bob):
    browser = Browser()
    browser.sign_in("alice")
    browser.sign_in(name, path="/rolled-back/login/")
    assert browser.who() == "alice"
    assert states() == [("alice", "")]


@pytest.mark.django_db(transaction=False)
def test_a_site_s_own_tests_may_run_in_a_transaction():
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    assert (old.who(), new.who()) == (None, "alice")


def test_inv3_a_login_with_a_wrong_password_ends_nothing():
    old, new = Browser(), Browser()
    old.sign_in()
    wrong = {"username": "alice", "password": PASSWORD + "x"}
    new.post("/accounts/login/", wrong)
    assert old.who() == "alice"
    assert states() == [("alice", "")]


def broken_limit(user, request, slot):
    raise LookupError("no such plan")


@pytest.mark.parametrize(
    "limit", [broken_limit, lambda user, request, slot: 0, lambda u, r, s: "1"]
)
def test_inv3_a_limit_that_fails_lets_nobody_in_and_signs_nobody_out(settings, limit):
    old, new = Browser(), Browser(raise_request_exception=False)
    old.sign_in()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": limit}
    response = new.post_json("/api/login/", credentials("alice"))
    assert response.status_code == 500
    assert new.who() is None
    settings.LIVE_SINGLE_SESSION = {}
    assert old.who() == "alice"
    assert states() == [("alice", "")]


def test_inv3_a_login_that_fails_signs_nobody_in_though_its_view_goes_on(settings):
    browser = Browser()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": broken_limit}
    assert browser.post("/stubborn/login/").json() == {"user": None}
    assert browser.who() is None
    assert states() == []


# The limit


def test_inv1_a_limit_of_two_keeps_the_two_newest(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    browsers = [Browser() for _ in range(4)]
    for browser in browsers:
        browser.sign_in()
    assert who(*browsers) == [None, None, "alice", "alice"]


def test_no_limit_ends_nothing(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    browsers = [Browser() for _ in range(3)]
    for browser in browsers:
        browser.sign_in()
    assert who(*browsers) == ["alice"] * 3


def by_name(user, request, slot):
    return {"alice": 1}.get(user.username)


def test_a_limit_may_depend_on_the_user(settings, bob):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": f"{__name__}.by_name"}
    for name in ["alice", "bob", "alice", "bob"]:
        Browser().sign_in(name)
    live = UserSession.objects.live().values_list("user__username", flat=True)
    assert sorted(live) == ["alice", "bob", "bob"]


def test_a_limit_that_was_lowered_is_met_by_the_next_login(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    for _ in range(3):
        Browser().sign_in()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    Browser().sign_in()
    assert UserSession.objects.live().count() == 2


def test_a_session_that_expired_unnoticed_takes_no_place(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    gone, old, new = Browser(), Browser(), Browser()
    old.sign_in()
    gone.sign_in()
    Session.objects.filter(session_key=gone.cookie).delete()
    new.sign_in()
    assert old.who() == "alice"
    assert states() == [("alice", ""), ("alice", "expired"), ("alice", "")]


def test_the_older_session_is_replaced_by_the_newer():
    Browser().sign_in()
    Browser().sign_in()
    old, new = UserSession.objects.order_by("serial")
    assert old.end_reason == EndReason.SUPERSEDED
    assert old.replaced_by == new
    assert old.ended_at == new.started_at
    assert (old.session_key, new.session_key != "") == ("", True)


def test_what_is_kept_of_the_client_comes_from_its_request():
    Browser().sign_in(REMOTE_ADDR="198.51.100.3", headers={"user-agent": "curl/8.5.0"})
    row = UserSession.objects.get()
    assert (row.ip, row.user_agent) == ("198.51.100.3", "curl/8.5.0")


@pytest.mark.parametrize(
    "user_agent",
    ["x" * 10_240, "a\x00b", "caf\xe9 \xff\xfe", "<script>alert(1)</script>", "\udcff"],
)
@pytest.mark.parametrize("at", ["/api/login/", "/async/api/login/"])
def test_a_hostile_user_agent_is_harmless(user_agent, at):
    browser = Browser()
    browser.sign_in(path=at, headers={"user-agent": user_agent, "x-forwarded-for": "1.2.3.4"})
    Browser().sign_in()
    first = UserSession.objects.order_by("serial")[0]
    assert len(first.user_agent) <= 400
    assert first.ip == "127.0.0.1"
    assert browser.get("/session/status/").json()["reason"] == "superseded"
