"""Limits in time for tokens."""

from datetime import timedelta

import pytest
from rest_framework_simplejwt.settings import api_settings

from live_single_session.contrib.simplejwt.checks import check_access_tokens
from tests.contrib.simplejwt.apps import assert_ended

pytestmark = pytest.mark.django_db(transaction=True)

IDLE, LIFETIME = 900, 3600


@pytest.fixture
def limits(policy):
    policy(IDLE_SECONDS=IDLE, LIFETIME_SECONDS=LIFETIME, ACTIVITY_SECONDS=60)


@pytest.fixture
def app(alice, limits, after, new_app):
    app = new_app()
    app.obtain()
    return app


def test_inv2_neither_token_of_an_idle_app_is_accepted(app, after):
    after(IDLE + 61)
    assert_ended(app.refresh(), "idle")
    assert_ended(app.me(), "idle")
    assert_ended(app.verify(), "idle")


def test_a_refresh_is_use(app, after):
    for _ in range(3):
        after(IDLE - 1)
        assert app.refresh().status_code == 200
    assert app.me().status_code == 200


def test_a_request_is_use(app, after):
    for _ in range(3):
        after(IDLE - 1)
        assert app.me().status_code == 200


def test_refreshing_stops_at_the_end_of_the_lifetime(app, after):
    for _ in range(LIFETIME // 600 - 1):
        after(600)
        assert app.refresh().status_code == 200
    after(601)
    assert_ended(app.refresh(), "lifetime")


@pytest.mark.parametrize(("minutes", "warns"), [(16, True), (15, False)])
def test_w105_access_tokens_that_outlive_the_idle_limit(limits, monkeypatch, minutes, warns):
    monkeypatch.setattr(api_settings, "ACCESS_TOKEN_LIFETIME", timedelta(minutes=minutes))
    ids = [message.id for message in check_access_tokens()]
    assert ids == (["live_single_session.W105"] if warns else [])
