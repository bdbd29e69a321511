"""Apps over the limit: refused, asked, or merely observed."""

import uuid

import pytest
from django.http import HttpResponse, JsonResponse

from live_single_session import registry
from live_single_session.models import UserSession
from live_single_session.signals import limit_exceeded, login_refused
from tests.contrib.simplejwt.apps import assert_ended
from tests.helpers.browsers import Browser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def refused():
    heard = []

    def hear(**kwargs):
        heard.append(kwargs)

    login_refused.connect(hear)
    yield heard
    login_refused.disconnect(hear)


def test_refuse_names_the_sessions_in_the_way(alice, new_app, settings, refused):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    first, second = new_app(), new_app()
    first.obtain()
    answer = second.obtain()
    assert answer.status_code == 409
    body = answer.json()
    assert body["code"] == "session_limit"
    assert body["detail"]
    assert [place["session"] for place in body["sessions"]] == [first.claims["sid"]]
    assert "take_over" not in body
    assert "access" not in body
    assert first.me().status_code == 200
    assert UserSession.objects.count() == 1
    [heard] = refused
    assert heard["user"] == alice
    assert str(heard["live"][0].pk) == first.claims["sid"]


def test_nobody_takes_over_where_logins_are_refused(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    first, second = new_app(), new_app()
    first.obtain()
    assert second.obtain(take_over=2).status_code == 409
    assert first.me().status_code == 200


def test_ask_and_take_over(alice, new_app, settings, refused):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    first, second = new_app(), new_app()
    first.obtain()
    question = second.obtain()
    assert question.status_code == 409
    assert question.json()["sessions"][0]["session"] == first.claims["sid"]
    assert first.me().status_code == 200
    assert refused == []
    assert second.obtain(take_over=question.json()["take_over"]).status_code == 200
    assert second.me().status_code == 200
    assert_ended(first.me())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (JsonResponse({"code": "otp"}, status=428), (428, {"code": "otp"})),
        (HttpResponse("<form>"), (403, "unconfirmed")),
    ],
)
def test_a_take_over_is_confirmed_first(answer, told, alice, new_app, settings):
    asked = []

    def confirm(request, user, action):
        asked.append((user.pk, action))
        return answer if len(asked) == 1 else None

    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask", "CONFIRM": confirm}
    first, second = new_app(), new_app()
    first.obtain()
    choice = second.obtain().json()["take_over"]
    assert asked == []
    stopped = second.obtain(take_over=choice)
    body = stopped.json()
    assert (stopped.status_code, body if told[0] == 428 else body["code"]) == told
    assert first.me().status_code == 200
    assert second.obtain(take_over=choice).status_code == 200
    assert asked == 2 * [(alice.pk, "take_over")]
    assert_ended(first.me())


def test_a_view_of_the_site_refuses_and_asks(alice, new_app, settings, refused):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    first, second = new_app(), new_app()
    first.sign_up()
    assert second.sign_up(take_over=2).json()["code"] == "session_limit"
    assert len(refused) == 1
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    assert second.sign_up(take_over=second.sign_up().json()["take_over"]).status_code == 200
    assert_ended(first.me())


def test_a_choice_counts_once(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    apps = [new_app() for _ in range(3)]
    apps[0].obtain()
    choice = apps[1].obtain().json()["take_over"]
    assert apps[2].obtain().json()["take_over"] == choice
    assert apps[1].obtain(take_over=choice).status_code == 200
    late = apps[2].obtain(take_over=choice)
    assert late.status_code == 409
    assert late.json()["sessions"][0]["session"] == apps[1].claims["sid"]
    assert apps[1].me().status_code == 200
    assert apps[2].obtain(take_over=late.json()["take_over"]).status_code == 200
    assert_ended(apps[1].me())


@pytest.mark.parametrize("wrong", ["yes", True, None, "", [], 10**30, -(10**30), 1.5])
def test_a_take_over_that_is_none(wrong, alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    first = new_app()
    first.obtain()
    assert new_app().obtain(take_over=wrong).status_code in (400, 409)
    assert first.me().status_code == 200


def test_a_browser_is_in_the_way_of_an_app(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    browser = Browser.signed_in()
    app = new_app()
    choice = app.obtain().json()["take_over"]
    assert browser.get("/whoami/").json() == {"user": "alice"}
    assert app.obtain(take_over=choice).status_code == 200
    assert browser.get("/whoami/").json() == {"user": None}


def test_observe(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "observe"}
    heard = []
    limit_exceeded.connect(lambda **kwargs: heard.append(kwargs), weak=False, dispatch_uid="t")
    first, second = new_app(), new_app()
    first.obtain()
    second.obtain()
    limit_exceeded.disconnect(dispatch_uid="t")
    assert first.me().status_code == second.me().status_code == 200
    assert str(heard[0]["session"].pk) == second.claims["sid"]


def test_two_of_them(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    apps = [new_app() for _ in range(3)]
    for app in apps:
        app.obtain()
    assert_ended(apps[0].me())
    assert apps[1].me().status_code == apps[2].me().status_code == 200
    assert {str(row.pk) for row in registry.live_of(alice)} == {
        str(uuid.UUID(app.claims["sid"])) for app in apps[1:]
    }


def broken_limit(user, request, slot):
    raise RuntimeError("no limit today")


def test_a_limit_that_fails_signs_nobody_in_or_out(alice, new_app, settings):
    app = new_app()
    app.obtain()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": broken_limit}
    with pytest.raises(RuntimeError):
        new_app().obtain()
    assert app.me().status_code == 200
    assert UserSession.objects.count() == 1
