"""Sessions that were removed past the registry end at the second look (invariants 2, 4, 9)."""

import pytest
from django.contrib.sessions.models import Session

from live_single_session.models import EndReason, UserSession
from live_single_session.registry import engine, missing
from tests.helpers.browsers import Browser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(alice, settings, monkeypatch):
    """A live session whose data is gone, and re-checks that follow each other at once."""
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 1e-9}
    monkeypatch.setattr(missing, "_missing", {})
    browser = Browser.signed_in("alice")
    Session.objects.all().delete()
    assert browser.who() is None
    return UserSession.objects.get()


def recheck(session):
    missing.end_removed([session.pk])
    session.refresh_from_db()
    return session.end_reason


def test_inv4_what_is_missing_twice_has_been_removed(session):
    assert [recheck(session), recheck(session)] == ["", EndReason.REMOVED]


def test_inv9_what_is_missing_once_is_not_over(session, settings):
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 30}
    assert [recheck(session), recheck(session)] == ["", ""]


def test_inv9_what_is_missing_under_another_key_is_looked_at_anew(session):
    recheck(session)
    UserSession.objects.update(key_digest="another")
    assert recheck(session) == ""


def test_inv9_what_is_back_under_the_lock_is_not_over(session, monkeypatch):
    recheck(session)
    answers = iter([set(), {session.session_key}])
    monkeypatch.setattr(engine, "present_among", lambda keys: next(answers))
    assert recheck(session) == ""


def test_inv9_the_memory_of_one_process_proves_nothing(session, settings):
    settings.SESSION_ENGINE = "live_single_session.backends.cache"
    assert [recheck(session), recheck(session)] == ["", ""]


def test_inv4_deleting_a_session_by_its_engine_ends_it_at_once(alice):
    browser = Browser.signed_in("alice")
    browser.session.delete()
    assert UserSession.objects.get().end_reason == EndReason.REMOVED
