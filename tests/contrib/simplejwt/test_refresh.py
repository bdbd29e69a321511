"""Refreshing: the session stays the same, and lives as long as its tokens."""

from datetime import timedelta

import pytest
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken

from live_single_session import registry
from live_single_session.contrib.simplejwt import TokenObtainPairSerializer
from live_single_session.models import UserSession
from live_single_session.registry import ending, lifecycle
from tests.contrib.simplejwt.apps import assert_ended

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def time_left(row):
    row.refresh_from_db()
    return row.expires_at - row.started_at


def age(row, by):
    """Let the session have started so much earlier."""
    row.expires_at -= by
    row.save()


@pytest.fixture
def rotating(monkeypatch):
    monkeypatch.setattr(api_settings, "ROTATE_REFRESH_TOKENS", True)


@pytest.fixture
def app(alice, new_app):
    app = new_app()
    app.obtain()
    return app


def test_the_session_lives_as_long_as_its_refresh_token(app):
    assert time_left(UserSession.objects.get()) == RefreshToken.lifetime


def test_sid_survives_rotation(app, rotating):
    sid, tokens = app.claims["sid"], {app.refresh_token}
    for _ in range(3):
        assert app.refresh().status_code == 200
        tokens.add(app.refresh_token)
        assert app.claims["sid"] == RefreshToken(app.refresh_token)["sid"] == sid
        assert app.me().status_code == 200
    assert len(tokens) == 4
    assert UserSession.objects.count() == 1


def test_rotation_prolongs_the_session(app, rotating):
    row = UserSession.objects.get()
    age(row, DAY / 2)
    app.refresh()
    assert time_left(row) >= RefreshToken.lifetime


def test_refreshing_without_rotation_does_not(app, django_assert_num_queries):
    row = UserSession.objects.get()
    before = time_left(row)
    with django_assert_num_queries(2):
        app.refresh()
    assert time_left(row) == before


def test_the_last_access_token_lives_no_longer_than_its_session(app, monkeypatch):
    lifetime = 3 * RefreshToken.lifetime
    monkeypatch.setattr(RefreshToken.access_token_class, "lifetime", lifetime)
    app.refresh()
    assert time_left(UserSession.objects.get()) >= lifetime


def test_inv2_an_ended_session_is_not_refreshed(app, new_app, rotating):
    new_app().obtain()
    assert_ended(app.refresh())


def test_inv2_a_session_that_ends_while_it_is_refreshed(app, rotating, monkeypatch):
    prolong = lifecycle.prolong

    def ended_first(session_id, *args):
        registry.end(UserSession.objects.get(), "revoked")
        return prolong(session_id, *args)

    monkeypatch.setattr(lifecycle, "prolong", ended_first)
    assert_ended(app.refresh(), "revoked")


def test_a_session_that_has_expired(app):
    row = UserSession.objects.get()
    age(row, 2 * DAY)
    ending.ended_among({row.pk})
    assert_ended(app.me(), "expired")


def test_a_serializer_of_the_site_adds_claims_and_time(alice, new_app, monkeypatch):
    class Serializer(TokenObtainPairSerializer):
        @classmethod
        def get_token(cls, user):
            token = super().get_token(user)
            token["name"] = user.get_username()
            token.set_exp(lifetime=30 * DAY)
            return token

        def validate(self, attrs):
            return {**super().validate(attrs), "user": self.user.pk}

    monkeypatch.setattr(
        "live_single_session.contrib.simplejwt.views.TokenObtainPairView.serializer_class",
        Serializer,
    )
    app = new_app()
    assert app.obtain().json()["user"] == alice.pk
    assert app.claims["name"] == "alice"
    assert time_left(UserSession.objects.get()) > 29 * DAY
    assert app.me().status_code == 200


def test_last_login_is_kept_where_simplejwt_keeps_it(alice, new_app, monkeypatch):
    monkeypatch.setattr(api_settings, "UPDATE_LAST_LOGIN", True)
    new_app().obtain()
    alice.refresh_from_db()
    assert alice.last_login is not None
