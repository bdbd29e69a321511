"""Tokens that are none, or not theirs: a 401 each, and never a 500."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings as site_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from live_single_session.models import UserSession
from tests.contrib.simplejwt.apps import assert_ended
from tests.contrib.simplejwt.bad_tokens import BAD, signed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app(alice, new_app):
    app = new_app()
    assert app.obtain().status_code == 200
    return app


def assert_turned_away(app, paths=("/api/me/", "/api/permitted/me/")):
    for path in paths:
        assert app.me(path).status_code == 401, path
    for answer in (app.refresh(), app.verify(), app.verify(app.refresh_token), app.log_out()):
        assert answer.status_code == 401, answer.content


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_token(bad, app):
    good = app.refresh_token
    app.access_token, app.refresh_token = bad(app.access_token), bad(app.refresh_token)
    assert_turned_away(app)
    app.refresh_token = good
    assert app.refresh().status_code == 200


def test_an_oversized_token(app):
    for kind in ("access", "refresh"):
        token = getattr(app, f"{kind}_token")
        oversized = signed(token, site_settings.SECRET_KEY, more="x" * 20_000)
        setattr(app, f"{kind}_token", oversized)
    assert_turned_away(app, ["/api/me/"])


@pytest.mark.parametrize(
    "sid", ["not-a-uuid", "", 7, True, [], {}, "x" * 5_000, "0" * 31, "\x00", -1.5]
)
def test_a_sid_that_is_no_uuid(sid, alice, new_app):
    app = new_app()
    app.forge(user_id=str(alice.pk), sid=sid)
    assert_turned_away(app)
    assert app.me().json()["code"] == "token_not_valid"


def test_a_sid_of_another_user(app, bob, new_app):
    forger = new_app()
    forger.forge(user_id=str(bob.pk), sid=app.claims["sid"])
    assert_turned_away(forger)
    assert forger.me().json()["code"] == "token_not_valid"
    assert app.me().status_code == 200


def test_an_ended_sid_of_another_user_says_nothing_of_its_end(app, bob, new_app):
    forger = new_app()
    forger.forge(user_id=str(bob.pk), sid=app.claims["sid"])
    new_app().obtain()
    assert forger.me().json()["code"] == "token_not_valid"


def test_a_sid_of_no_session(alice, new_app):
    app = new_app()
    app.forge(user_id=str(alice.pk), sid=str(uuid.uuid4()))
    assert_ended(app.me(), None)
    assert_ended(app.refresh(), None)


@pytest.mark.parametrize("user_id", ["abc", "", "9" * 40, -1, [], {}, None, "\x00", 1e300])
def test_a_user_id_that_is_none(user_id, app, new_app):
    forger = new_app()
    forger.forge(user_id=user_id, sid=app.claims["sid"])
    assert forger.me().status_code == 401
    assert forger.refresh().status_code == 401
    assert forger.verify().status_code == 401


def test_a_token_that_names_no_user(app, new_app):
    forger = new_app()
    forger.forge(sid=app.claims["sid"])
    assert_turned_away(forger)


def test_a_refresh_token_is_no_access_token(app):
    app.access_token = app.refresh_token
    assert app.me().status_code == 401


def test_an_access_token_is_no_refresh_token(app):
    app.refresh_token = app.access_token
    assert app.refresh().status_code == 401
    assert app.log_out().status_code == 401


def test_a_deleted_user(app, alice):
    alice.delete()
    assert_ended(app.me(), "deactivated")
    assert_ended(app.refresh(), "deactivated")
    assert_ended(app.verify(), "deactivated")
    assert app.me("/api/permitted/me/").status_code == 401


def test_a_deactivated_user(app, alice):
    alice.is_active = False
    alice.save()
    assert_ended(app.me(), "deactivated")
    assert_ended(app.refresh(), "deactivated")
    assert_ended(app.verify(), "deactivated")


def test_a_user_deactivated_behind_the_signals(app, alice, django_user_model):
    django_user_model.objects.filter(pk=alice.pk).update(is_active=False)
    assert_ended(app.me(), "deactivated")
    assert UserSession.objects.get().end_reason == "deactivated"
    django_user_model.objects.filter(pk=alice.pk).update(is_active=True)
    assert_ended(app.me(), "deactivated")


def test_a_header_that_is_none(app):
    for header in ("Bearer", "Bearer a b", "Bearer  ", "Basic x", ""):
        answer = app.client.get("/api/me/", headers={"Authorization": header})
        assert answer.status_code == 401, header


def test_a_body_that_is_none(app):
    for path in ("/api/token/", "/api/token/refresh/", "/api/token/verify/"):
        for body in ("", "[]", "7", '{"refresh": 7}', '{"token": null}', "{"):
            answer = app.client.generic("POST", path, body, content_type="application/json")
            assert answer.status_code in (400, 401), (path, body)


def test_a_changed_password_where_tokens_carry_its_hash(alice, new_app, monkeypatch):
    monkeypatch.setattr(api_settings, "CHECK_REVOKE_TOKEN", True)
    app = new_app()
    app.obtain()
    assert app.me().status_code == 200
    alice.set_password("another correct horse")
    UserSession._meta.model.objects.update(ended_at=None)
    type(alice).objects.filter(pk=alice.pk).update(password=alice.password)
    assert app.me().json()["code"] == "password_changed"


# Tokens from before


@pytest.fixture
def from_before(alice, new_app):
    app = new_app()
    refresh = RefreshToken.for_user(alice)
    app.refresh_token, app.access_token = str(refresh), str(refresh.access_token)
    return app


def test_a_token_without_sid_is_refused(from_before):
    assert_turned_away(from_before)


def test_a_token_without_sid_is_accepted_until_it_expires(from_before, settings, alice):
    settings.LIVE_SINGLE_SESSION_JWT = {"TOKENS_WITHOUT_SID": "accept"}
    for path in ("/api/me/", "/api/permitted/me/"):
        assert from_before.me(path).json() == {"user": "alice"}
    assert from_before.verify().status_code == 200
    expired = AccessToken.for_user(alice)
    expired.set_exp(from_time=timezone.now() - timedelta(days=1))
    from_before.access_token = str(expired)
    assert from_before.me().status_code == 401


@pytest.mark.parametrize("rotating", [False, True])
def test_refreshing_a_token_without_sid_does_not_prolong_it(
    rotating, from_before, settings, monkeypatch
):
    settings.LIVE_SINGLE_SESSION_JWT = {"TOKENS_WITHOUT_SID": "accept"}
    monkeypatch.setattr(api_settings, "ROTATE_REFRESH_TOKENS", rotating)
    refresh = from_before.refresh_token
    answer = from_before.refresh()
    assert answer.status_code == 200
    assert from_before.refresh_token == refresh
    assert ("refresh" in answer.json()) == rotating
    assert from_before.me().status_code == 200
    assert from_before.log_out().status_code == 200


def test_a_token_without_sid_of_a_user_who_is_gone(from_before, settings, alice):
    settings.LIVE_SINGLE_SESSION_JWT = {"TOKENS_WITHOUT_SID": "accept"}
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    assert from_before.me().json()["code"] == "user_inactive"
    assert from_before.refresh().status_code == 401
    alice.delete()
    assert from_before.me().json()["code"] == "user_not_found"
    assert from_before.refresh().status_code == 401


# What it costs


def queries_of(app, path):
    with CaptureQueriesContext(connection) as captured:
        assert app.me(path).status_code == 200
    return len(captured)


def test_inv8_it_costs_no_more_queries_than_simplejwt(app):
    theirs = queries_of(app, "/api/simplejwt/me/")
    assert queries_of(app, "/api/me/") == theirs == 1


def test_the_permission_costs_one_query(app):
    assert queries_of(app, "/api/permitted/me/") == queries_of(app, "/api/simplejwt/me/") + 1
