"""`refuse` locks nobody out: whoever closed a browser gets in once that session is over."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.utils import timezone

from live_single_session.models import EndReason, UserSession
from live_single_session.registry import engine
from tests.helpers.browsers import Browser
from tests.helpers.engines import ENGINES, KEYED, use_engine

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]


@pytest.fixture(autouse=True)
def _refuse(policy, alice):
    policy(ON_LIMIT="refuse")


@pytest.fixture
def switch(settings, monkeypatch, tmp_path):
    def switch(name):
        use_engine(name, settings, monkeypatch, tmp_path / "sessions", None)

    return switch


def let_time_pass(monkeypatch, settings):
    """Two weeks and a day, for everything that tells whether a session has expired."""
    passed = timedelta(days=15)
    UserSession.objects.update(expires_at=timezone.now() - timedelta(days=1))
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    cache.clear()  # whose entries expire by themselves
    now = timezone.now() + passed
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


@pytest.mark.parametrize("name", ENGINES)
def test_a_crashed_browser_s_session_expires(
    laptop, phone, switch, name, monkeypatch, settings
):
    switch(name)
    laptop.sign_in()
    laptop.cookies.clear()  # it crashed, and has no cookie any more
    assert laptop.try_to_sign_in().status_code == 409
    assert phone.try_to_sign_in().status_code == 409
    let_time_pass(monkeypatch, settings)
    assert phone.try_to_sign_in().status_code == 200
    first, second = UserSession.objects.order_by("serial")
    assert first.end_reason == EndReason.EXPIRED
    assert second.ended_at is None


@pytest.mark.parametrize("name", KEYED)
def test_what_the_engine_has_forgotten_does_not_count(laptop, phone, switch, name):
    """An emptied cache, `clearsessions`, a deleted folder: the registry can't know."""
    switch(name)
    laptop.sign_in()
    assert phone.try_to_sign_in().status_code == 409
    engine.forget(laptop.cookie)
    assert phone.try_to_sign_in().status_code == 200
    assert UserSession.objects.get(serial=1).end_reason == EndReason.EXPIRED


@pytest.mark.parametrize("name", ENGINES)
def test_whoever_signs_out_makes_room(laptop, phone, switch, name):
    switch(name)
    laptop.sign_in()
    laptop.post("/api/logout/")
    assert phone.try_to_sign_in().status_code == 200


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_browser_is_never_locked_out(laptop, switch, name):
    """Several login tabs in one browser are one session."""
    switch(name)
    tab = Browser()
    laptop.sign_in()
    tab.cookies = laptop.cookies
    assert tab.try_to_sign_in().status_code == 200
    assert laptop.try_to_sign_in().status_code == 200
    assert UserSession.objects.count() == 1


@pytest.mark.parametrize("name", ENGINES)
def test_refusals_take_no_place(laptop, phone, switch, name):
    switch(name)
    laptop.sign_in()
    for _ in range(3):
        assert phone.try_to_sign_in().status_code == 409
    laptop.post("/api/logout/")
    assert phone.try_to_sign_in().status_code == 200
    assert UserSession.objects.count() == 2


@pytest.mark.parametrize("name", ENGINES)
def test_one_forgotten_among_several_makes_room(laptop, phone, switch, name, policy):
    policy(ON_LIMIT="refuse", LIMIT=2)
    switch(name)
    laptop.sign_in()
    phone.sign_in()
    tablet = Browser()
    assert tablet.try_to_sign_in().status_code == 409
    row = UserSession.objects.get(serial=1)
    if row.session_key:
        engine.forget(row.session_key)
    else:
        UserSession.objects.filter(serial=1).update(expires_at=timezone.now())
    assert tablet.try_to_sign_in().status_code == 200
    assert phone.who() == "alice"
    assert UserSession.objects.live().count() == 2
