"""One live session per user, whether a browser or an app signs in."""

import pytest
from django.utils.functional import SimpleLazyObject

from live_single_session import registry
from live_single_session.contrib.simplejwt import serializers, sign_in
from live_single_session.models import EndReason, UserSession
from live_single_session.session_info import SessionInfo
from live_single_session.signals import session_ended
from tests.contrib.simplejwt.apps import assert_ended
from tests.helpers.browsers import Browser
from tests.site.people import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

ENDED = ["/api/me/", "/api/permitted/me/", "/api/stateless/me/", "/api/either/me/"]


def test_tokens_of_a_pair_carry_the_session(alice, new_app):
    app = new_app()
    assert app.obtain().status_code == 200
    row = UserSession.objects.get()
    assert row.kind == UserSession.Kind.TOKEN
    assert row.user == alice
    assert app.claims["sid"] == str(row.pk)
    assert app.me().json() == {"user": "alice"}
    app.refresh()
    assert app.claims["sid"] == str(row.pk)
    assert app.me().json() == {"user": "alice"}


@pytest.mark.parametrize("path", ENDED)
def test_inv2_a_second_app_ends_the_first(path, alice, new_app):
    first, second = new_app(), new_app()
    first.obtain()
    second.obtain()
    assert_ended(first.me(path))
    assert_ended(first.refresh())
    assert_ended(first.verify())
    assert_ended(first.verify(first.refresh_token))
    assert second.me(path).status_code == 200
    assert second.verify().status_code == 200
    assert second.refresh().status_code == 200


def test_another_user_stays_signed_in(alice, bob, new_app):
    first, second = new_app(), new_app()
    first.obtain("alice")
    second.obtain("bob")
    assert first.me().json() == {"user": "alice"}


def test_signing_in_on_the_website_ends_the_app(alice, new_app):
    app = new_app()
    app.obtain()
    browser = Browser.signed_in()
    assert_ended(app.me())
    assert browser.get("/whoami/").json() == {"user": "alice"}


def test_signing_in_with_the_app_ends_the_browser(alice, new_app):
    browser = Browser.signed_in()
    app = new_app()
    app.obtain()
    answer = browser.get("/api/private/", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json()["reason"] == "superseded"
    assert app.me().status_code == 200


def slot_of(user, request):
    return "app" if request is not None and request.path.startswith("/api/token/") else "web"


def test_each_has_its_own_slot(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"SLOT": slot_of}
    browser = Browser.signed_in()
    first, second = new_app(), new_app()
    first.obtain()
    assert browser.get("/whoami/").json() == {"user": "alice"}
    second.obtain()
    assert_ended(first.me())
    assert browser.get("/whoami/").json() == {"user": "alice"}
    assert {row.slot for row in registry.live_of(alice)} == {"app", "web"}


def test_staff_only(alice, carol, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": "live_single_session.policy.staff_only"}
    apps = [new_app() for _ in range(3)]
    for app in apps:
        app.obtain("alice")
    assert all(app.me().status_code == 200 for app in apps)
    staff = [new_app() for _ in range(3)]
    for app in staff:
        app.obtain("carol")
    assert_ended(staff[0].me())
    assert_ended(staff[1].me())
    assert staff[2].me().status_code == 200


def test_a_view_of_the_site_signs_in(alice, new_app):
    first, second = new_app(), new_app()
    first.obtain()
    assert second.sign_up().status_code == 200
    assert_ended(first.me())
    assert second.me().json() == {"user": "alice"}
    assert second.refresh().status_code == 200


def test_a_sign_in_without_a_request(alice, new_app):
    app, token = new_app(), new_app()
    app.obtain()
    token.access_token = sign_in(alice, None)["access"]
    assert_ended(app.me())
    assert token.me().status_code == 200


def test_a_sign_in_of_the_request_s_user(alice, new_app):
    app = new_app()
    app.access_token = sign_in(SimpleLazyObject(lambda: alice), None)["access"]
    assert app.me().json() == {"user": "alice"}


def test_logging_out_ends_the_session(alice, new_app):
    app = new_app()
    app.obtain()
    assert app.log_out().status_code == 200
    assert UserSession.objects.get().end_reason == EndReason.LOGGED_OUT
    assert_ended(app.me(), "logged_out")
    assert_ended(app.refresh(), "logged_out")


def test_logging_out_twice_is_no_error_and_ends_nobody(alice, new_app):
    first, second = new_app(), new_app()
    first.obtain()
    second.obtain()
    assert first.log_out().status_code == 200
    assert first.log_out().status_code == 200
    assert second.me().status_code == 200


def test_a_revoked_session(alice, new_app):
    app = new_app()
    app.obtain()
    registry.end(UserSession.objects.get(), EndReason.REVOKED)
    assert_ended(app.me(), "revoked")


def test_inv6_changing_the_password_ends_the_other_sessions_only(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 3}
    app, other = new_app(), new_app()
    app.obtain()
    other.obtain()
    browser = Browser.signed_in()
    new = {"password": "another correct horse"}
    assert app.post("/api/password/", new, headers=app.headers).status_code == 200
    assert app.me().status_code == 200
    assert_ended(other.me(), "password_changed")
    assert browser.get("/whoami/").json() == {"user": None}


def test_inv3_a_login_that_fails_ends_nothing(alice, new_app, monkeypatch):
    app = new_app()
    app.obtain()
    told = []
    session_ended.connect(lambda **kwargs: told.append(kwargs), weak=False, dispatch_uid="t")

    def broken(*args):
        raise RuntimeError("no token today")

    monkeypatch.setattr(
        "live_single_session.contrib.simplejwt.TokenObtainPairSerializer.get_token", broken
    )
    with pytest.raises(RuntimeError):
        new_app().obtain()
    session_ended.disconnect(dispatch_uid="t")
    assert app.me().status_code == 200
    assert UserSession.objects.count() == 1
    assert told == []


def test_wrong_credentials_end_nothing(alice, new_app):
    app = new_app()
    app.obtain()
    wrong = {"username": "alice", "password": PASSWORD + "!"}
    assert new_app().post("/api/token/", wrong).status_code == 401
    assert app.me().status_code == 200


def test_the_use_of_tokens_is_recorded_where_the_site_asks_for_it(alice, new_app, settings):
    settings.LIVE_SINGLE_SESSION = {"ACTIVITY_SECONDS": 60}
    app = new_app()
    app.obtain()
    app.me()
    assert UserSession.objects.get().last_seen_at is not None


def test_the_answers_are_not_cached(alice, new_app):
    assert "no-store" in new_app().obtain().headers["Cache-Control"]


def test_inv2_a_sign_in_that_began_before_a_change_of_password_gets_no_tokens(
    alice, new_app, monkeypatch
):
    """Its password was right when it was checked: it would outlive the change."""
    app = new_app()

    def change_password(*args, **kwargs):
        monkeypatch.undo()
        alice.set_password("changed")
        alice.save()
        return sign_in(*args, **kwargs)

    monkeypatch.setattr(serializers, "sign_in", change_password)
    answer = app.obtain()
    assert (answer.status_code, answer.json()["code"]) == (401, "password_changed")
    assert not UserSession.objects.exists()


def test_an_app_that_signs_out_is_not_told_of_tabs(alice, new_app):
    app = new_app()
    app.obtain()
    app.log_out()
    answer = app.me()
    assert_ended(answer, "logged_out")
    assert "tab" not in answer.json()["detail"]
    assert "browser" not in answer.json()["detail"]


def test_an_app_names_its_device_in_lists(alice, new_app):
    app = new_app()
    app.obtain(device="Ann's Pixel")
    assert UserSession.objects.get().device == "Ann's Pixel"
    assert SessionInfo(UserSession.objects.get()).device == "Ann's Pixel"
