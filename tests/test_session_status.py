"""``session/status/``: what the websocket would say, over HTTP."""

import uuid
from datetime import datetime

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from live_single_session.models import UserSession
from tests.helpers.browsers import API, FIREFOX, PAGE, AsyncBrowser, Browser

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "/session/status/"
NO_SESSIONS = ["", "42", "x" * 36, "x" * 10_000, "\x00", "é", "'; DROP TABLE--", uuid.uuid4()]


@pytest.fixture
def tab(alice):
    browser = Browser()
    browser.sign_in()
    return browser


def session_of(user):
    return str(UserSession.objects.live().get(user=user).pk)


def ask(tab, session=None):
    return tab.get(STATUS, {} if session is None else {"session": session}, headers=API)


def test_a_live_session_is_named(tab, alice):
    response = ask(tab, session_of(alice))
    assert (response.status_code, response.json()) == (
        200,
        {"live": True, "session": session_of(alice)},
    )
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("session", [None, *NO_SESSIONS])
def test_a_page_session_that_is_none_is_ignored(tab, alice, session):
    assert ask(tab, session).json() == {"live": True, "session": session_of(alice)}


def test_a_page_session_that_is_live_but_another_s_is_ignored(tab, alice, bob):
    Browser().sign_in("bob")
    assert ask(tab, session_of(bob)).json() == {"live": True, "session": session_of(alice)}


@pytest.mark.parametrize("session", [None, *NO_SESSIONS])
def test_whoever_is_not_signed_in_is_told_so(db, session):
    response = ask(Browser(), session)
    assert (response.status_code, response.json()) == (401, {"code": "not_signed_in"})
    assert "Session-Ended" not in response


def test_a_live_session_of_others_is_not_told_to_whoever_is_not_signed_in(tab, alice):
    response = ask(Browser(), session_of(alice))
    assert response.json() == {"code": "not_signed_in"}


def test_inv4_a_dead_cookie_is_told_why(tab, alice):
    session = session_of(alice)
    Browser(headers={"user-agent": FIREFOX}).sign_in()
    response = ask(tab)
    assert response.status_code == 401
    assert response["Session-Ended"] == "superseded"
    body = response.json()
    assert (
        body.items()
        >= {
            "code": "session_ended",
            "reason": "superseded",
            "session": session,
            "detail": "You signed in on Firefox on Linux, so you were signed out here.",
            "login_url": "/accounts/login/",
            "signed_in": False,
            "by": {"device": "Firefox on Linux", "ip": None},
        }.items()
    )
    assert datetime.fromisoformat(body["at"]).utcoffset().total_seconds() == 0


def test_inv4_a_stale_page_is_told_why_without_a_cookie_too(tab, alice):
    session = session_of(alice)
    Browser().sign_in()
    for _ in range(2):  # the first answer takes the dead cookie away
        response = ask(tab, session)
        assert response.status_code == 401
        assert (response.json()["reason"], response.json()["signed_in"]) == (
            "superseded",
            False,
        )


def test_inv4_a_stale_page_is_told_that_its_browser_is_signed_in_again(tab, alice):
    stale = session_of(alice)
    tab.post("/api/logout/")
    tab.sign_in()
    response = ask(tab, stale)
    assert response.status_code == 401
    assert response["Session-Ended"] == "logged_out"
    assert (response.json()["session"], response.json()["signed_in"]) == (stale, True)
    assert tab.who() == "alice"
    assert ask(tab).json() == {"live": True, "session": session_of(alice)}


def test_the_answer_to_a_script_is_never_a_redirect(tab):
    Browser().sign_in()
    assert tab.get(STATUS, headers=PAGE).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_only_reads(tab, method):
    assert getattr(tab, method)(STATUS).status_code == 405


@pytest.fixture
def atomic_requests():
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_it_works_where_requests_are_atomic(tab, alice, atomic_requests):
    assert ask(tab).json() == {"live": True, "session": session_of(alice)}
    session = session_of(alice)
    Browser().sign_in()
    assert ask(tab, session).json()["reason"] == "superseded"


@pytest.fixture
def ended(tab, alice):
    """The id of the tab's session, which a newer one has superseded."""
    session = session_of(alice)
    Browser(headers={"user-agent": FIREFOX}).sign_in()
    return session


def test_inv7_an_ended_id_tells_nobody_in_particular_the_bare_reason(ended):
    body = ask(Browser(), ended).json()
    assert (body["session"], body["reason"]) == (ended, "superseded")
    assert (body["at"], body["by"]) == (None, None)
    assert "Firefox" not in str(body)


def test_inv7_an_ended_id_tells_another_user_nothing(ended, bob):
    other = Browser()
    other.sign_in("bob")
    assert ask(other, ended).json() == {"live": True, "session": session_of(bob)}


def test_inv4_an_ended_id_tells_its_own_browser_and_its_user_everything(tab, ended, alice):
    same_user = Browser()
    same_user.sign_in()
    for browser in (tab, same_user):
        body = ask(browser, ended).json()
        assert body["by"] == {"device": "Firefox on Linux", "ip": None}
        assert body["at"]


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_inv10_asking_is_no_use_of_a_session(tab, alice, settings, engine, tmp_path):
    settings.SESSION_ENGINE = f"live_single_session.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    settings.SESSION_SAVE_EVERY_REQUEST = True
    tab = Browser()
    tab.sign_in()
    before = UserSession.objects.live().values().get(), list(Session.objects.values())
    response = ask(tab, before[0]["id"])
    assert response.json() == {"live": True, "session": session_of(alice)}
    assert not response.cookies
    assert (UserSession.objects.live().values().get(), list(Session.objects.values())) == before


async def test_it_works_under_asgi(alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    session = (await browser.get(STATUS)).json()["session"]
    await AsyncBrowser().sign_in()
    assert (await browser.get(STATUS)).json()["session"] == session


def test_inv6_a_late_answer_signs_nobody_out(tab, alice):
    """Its cookie would replace that of whoever has signed in meanwhile in another tab."""
    session = session_of(alice)
    Browser().sign_in()
    answer = ask(tab, session)
    assert answer.json()["code"] == "session_ended"
    assert not answer.cookies


def test_inv6_a_site_that_wants_a_login_everywhere_leaves_it_to_answer(settings, tab, alice):
    """Else it redirects, and its answer would remove a cookie that may be a newer one."""
    middleware = [*settings.MIDDLEWARE]
    place = middleware.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    middleware.insert(place, "django.contrib.auth.middleware.LoginRequiredMiddleware")
    settings.MIDDLEWARE = middleware
    assert ask(Browser()).json() == {"code": "not_signed_in"}
    Browser().force_login(alice)
    response = ask(tab)
    assert (response.status_code, response.json()["reason"]) == (401, "superseded")
    assert response.json()["title"]
    assert "sessionid" not in response.cookies
