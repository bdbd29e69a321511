"""`ON_LIMIT = "refuse"`: the new login fails, kindly, and nothing of it remains."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.auth.signals import user_logged_in
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session

from live_single_session.models import EndReason, UserSession
from live_single_session.signals import login_refused
from tests.helpers.browsers import API, FORM, PAGE, AsyncBrowser, Browser
from tests.site.people import PASSWORD, credentials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]

ELSEWHERE = {**PAGE, "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(autouse=True)
def _refuse(policy, alice, bob):
    policy(ON_LIMIT="refuse")


@pytest.fixture(params=[False, True], ids=["", "atomic"])
def atomic(request, settings, monkeypatch):
    """With and without ATOMIC_REQUESTS."""
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return request.param


def follow(browser, url):
    """As browsers do, which give up after twenty redirects."""
    for _ in range(20):
        response = browser.get(url, headers=PAGE)
        if response.status_code != 302:
            return response
        url = response["Location"]
    raise AssertionError("it goes round in circles")


def assert_nothing_remains(browser, laptop):
    """Of the refused login: the laptop is as live as it was, and alone."""
    assert laptop.who() == "alice"
    assert browser.who() is None
    row = UserSession.objects.live().get()
    assert row.session_key == laptop.cookie
    assert [session.session_key for session in Session.objects.all()] == [laptop.cookie]


@pytest.mark.parametrize("path", ["/api/login/", "/async/api/login/"])
def test_an_api_request_gets_409(laptop, phone, path):
    laptop.sign_in()
    response = phone.try_to_sign_in(path=path)
    assert response.status_code == 409
    body = response.json()
    assert body["code"] == "session_limit"
    assert body["login_url"] == "/accounts/login/"
    assert "Firefox on Linux" in body["detail"]
    (place,) = body["sessions"]
    assert place["device"] == "Firefox on Linux"
    assert place["ip"] is None
    assert "no-store" in response["Cache-Control"]
    assert_nothing_remains(phone, laptop)


def test_a_page_goes_back_to_the_login_page(laptop, phone, atomic):
    laptop.sign_in()
    response = phone.fill_in("/accounts/login/?theme=dark&ended=expired", next="/private/?a=1")
    assert response.status_code == 302
    target = urlsplit(response["Location"])
    assert target.path == "/accounts/login/"
    assert parse_qs(target.query) == {
        "refused": ["limit"],
        "theme": ["dark"],
        "next": ["/private/?a=1"],
    }
    page = phone.get(response["Location"], headers=PAGE)
    assert "already signed in on another device (Firefox on Linux)" in page.text
    assert 'name="next" value="/private/?a=1"' in page.text
    assert_nothing_remains(phone, laptop)


def test_next_leads_to_no_other_site(laptop, phone):
    laptop.sign_in()
    response = phone.fill_in(next="https://evil.example/")
    assert "next" not in parse_qs(urlsplit(response["Location"]).query)


def test_the_admin_comes_back_to_its_own_login_page(carol, laptop, phone, atomic):
    laptop.sign_in("carol")
    response = phone.fill_in("/admin/login/?next=/admin/", name="carol", next="/admin/auth/")
    assert response["Location"] == "/admin/login/?next=/admin/auth/&refused=limit"
    assert "already signed in" in phone.get(response["Location"]).text
    assert phone.who() is None


def test_another_login_view_comes_back_to_itself(laptop, phone):
    laptop.sign_in()
    assert phone.fill_in("/staff-login/")["Location"] == "/staff-login/?refused=limit"


def test_a_second_factor_goes_back_to_the_first(laptop, phone, atomic):
    laptop.sign_in()
    phone.post("/first-factor/", credentials("alice"))
    response = phone.post("/second-factor/", {"code": "123456"}, headers=FORM)
    assert response["Location"] == "/accounts/login/?refused=limit"
    assert phone.get("/device/").json() == {"device": None}
    assert_nothing_remains(phone, laptop)


def test_a_single_sign_on_does_not_go_round_in_circles(laptop, phone, settings):
    settings.LOGIN_URL = "/sso/start/"
    laptop.sign_in()
    response = follow(phone, "/private/")
    assert response.status_code == 409
    assert "already signed in on another device (Firefox on Linux)" in response.text
    assert "/sso/start/?" in response.text
    assert phone.who() is None

    laptop.post("/api/logout/")
    assert follow(phone, "/private/").status_code == 200
    assert phone.who() == "alice"


def test_a_form_from_an_identity_provider_gets_a_page_at_once(laptop, phone):
    laptop.sign_in()
    response = phone.post("/sso/callback/", headers=ELSEWHERE)
    assert response.status_code == 409
    assert "Try again" in response.text


def test_a_view_may_answer_itself(laptop, phone):
    laptop.sign_in()
    response = phone.post("/own-answer/", headers=PAGE)
    assert response.status_code == 423
    assert response.json() == {"user": None, "live": 1}
    assert_nothing_remains(phone, laptop)


def test_it_is_said_at_once(laptop, phone, refused, caplog, atomic):
    laptop.sign_in()
    with caplog.at_level(logging.INFO, "live_single_session"):
        phone.fill_in()
    (said,) = refused
    assert said["user"].username == "alice"
    assert said["live"] == (UserSession.objects.get(),)
    assert not said["request"].user.is_authenticated
    (line,) = [r for r in caplog.records if "refused" in r.message]
    assert line.event == "refused"
    assert laptop.cookie not in caplog.text


def test_a_listener_that_raises_harms_nobody(laptop, phone):
    def fail(**kwargs):
        raise RuntimeError("a listener's own trouble")

    login_refused.connect(fail)
    laptop.sign_in()
    try:
        assert phone.try_to_sign_in().status_code == 409
    finally:
        login_refused.disconnect(fail)


def test_the_browser_that_is_signed_in_may_sign_in_again(laptop):
    laptop.sign_in()
    laptop.sign_in()
    laptop.fill_in()
    assert laptop.who() == "alice"
    assert UserSession.objects.count() == 1


def test_after_signing_out_there_is_a_place(laptop, phone):
    laptop.sign_in()
    laptop.post("/api/logout/")
    phone.sign_in()
    assert phone.who() == "alice"


def test_the_other_user_of_the_browser_is_gone_without_a_word(laptop, phone, atomic):
    """Django flushes another user's session before it knows how the login ends."""
    laptop.sign_in("alice")
    phone.sign_in("bob")
    response = phone.fill_in()
    assert "ended=" not in response["Location"]
    assert len(list(get_messages(response.wsgi_request))) == 1
    assert "Session-Ended" not in response
    assert UserSession.objects.get(user__username="bob").end_reason == EndReason.USER_SWITCHED
    assert_nothing_remains(phone, laptop)
    phone.sign_in("bob")  # and bob isn't locked out by what he left behind


def test_with_a_limit_of_two_the_third_is_refused(policy, laptop, phone):
    policy(ON_LIMIT="refuse", LIMIT=2)
    laptop.sign_in()
    phone.sign_in()
    body = Browser().try_to_sign_in().json()
    assert len(body["sessions"]) == 2
    assert "as many devices as are allowed" in body["detail"]


def test_the_address_is_told_where_it_is_disclosed(policy, laptop, phone):
    policy(ON_LIMIT="refuse", DISCLOSE=["ip"])
    laptop.sign_in()
    assert phone.try_to_sign_in().json()["sessions"][0]["ip"] == "127.0.0.1"


def test_a_wrong_password_tells_nothing(laptop, phone):
    laptop.sign_in()
    response = phone.post("/accounts/login/", {"username": "alice", "password": PASSWORD + "!"})
    assert response.status_code == 200
    assert "Firefox" not in response.text


async def test_an_async_listener_that_fails_beside_it_changes_nothing():
    """Django 6 raises both errors in one group."""

    async def fail(**kwargs):
        raise LookupError("a listener's own trouble")

    first, second = AsyncBrowser(), AsyncBrowser(raise_request_exception=False)
    await first.sign_in()
    user_logged_in.connect(fail)
    try:
        response = await second.post_json("/async/api/login/", credentials("alice"))
    finally:
        user_logged_in.disconnect(fail)
    assert response.status_code in (302, 409, 500)  # whichever error came first
    assert await second.who() is None
    assert await first.who() == "alice"
    assert await UserSession.objects.live().acount() == 1


@pytest.fixture(params=["refuse", "ask"])
def single_sign_on(request, policy, settings):
    """There is no page on which it would let anybody choose."""
    policy(ON_LIMIT=request.param)
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django.contrib.auth.backends.RemoteUserBackend",
    ]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.SingleSignOn"]


def test_a_middleware_that_signs_in_on_every_page_is_answered_for(single_sign_on):
    laptop, phone = Browser(), Browser(raise_request_exception=False)
    laptop.sign_in()
    page = phone.get("/private/?remote=alice", headers=PAGE)
    assert (page.status_code, "sessionid" in page.cookies) == (409, False)
    assert "signed in on another device" in page.content.decode()
    refused = phone.get("/api/private/?remote=alice", headers=API)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_limit")
    assert laptop.who() == "alice"
    laptop.post("/api/logout/")
    assert phone.get("/private/?remote=alice", headers=PAGE).status_code == 200


async def test_a_middleware_that_signs_in_is_answered_for_asynchronously(single_sign_on):
    laptop, phone = AsyncBrowser(), AsyncBrowser(raise_request_exception=False)
    await laptop.sign_in()
    page = await phone.get("/async/private/?remote=alice", headers=PAGE)
    assert page.status_code == 409
    assert await laptop.who() == "alice"


class SingleSignOn(RemoteUserMiddleware):
    def __call__(self, request):
        if "remote" in request.GET:
            for name in (self.header, f"HTTP_{self.header}"):  # WSGI and ASGI
                request.META[name] = request.GET["remote"]
        return super().__call__(request)
