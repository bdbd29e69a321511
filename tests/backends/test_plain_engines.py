"""Django's own engines, before and after their twins (invariant 10)."""

import pytest
from django.contrib.sessions.backends.file import SessionStore as DjangoFileStore
from django.contrib.sessions.models import Session

from live_single_session.backends.file import SessionStore as GatedFileStore
from live_single_session.models import UserSession
from tests.helpers.browsers import Browser, live

pytestmark = pytest.mark.django_db(transaction=True)

PLAIN = "django.contrib.sessions.backends.{}"
TWIN = "live_single_session.backends.{}"
ENGINES = ["db", "cached_db", "cache", "file"]


@pytest.fixture(params=ENGINES)
def switch(request, settings, tmp_path, monkeypatch):
    settings.SESSION_FILE_PATH = str(tmp_path)
    # The engine looks at its setting once.
    for store in (DjangoFileStore, GatedFileStore):
        monkeypatch.setattr(store, "_storage_path", str(tmp_path), raising=False)

    def to(kind):
        settings.SESSION_ENGINE = kind.format(request.param)

    return to


def same(browser):
    """The same browser, after its site was restarted with other settings."""
    restarted = Browser()
    restarted.cookie = browser.cookie
    return restarted


def test_inv10_a_plain_engine_signs_in_as_without_the_package(alice, switch, caplog):
    switch(PLAIN)
    left, right = Browser.signed_in("alice"), Browser.signed_in("alice")
    assert (left.who(), right.who()) == ("alice", "alice")
    assert not UserSession.objects.exists()
    assert "lets ended sessions live on" in caplog.text


def test_inv10_who_is_signed_in_stays_so_with_the_twin_and_back(alice, switch):
    switch(PLAIN)
    left = Browser.signed_in("alice")
    switch(TWIN)
    assert same(left).who() == "alice"
    assert len(live()) == 1
    switch(PLAIN)
    assert same(left).who() == "alice"


def test_inv6_a_key_that_a_plain_engine_has_rotated_is_taken_over(alice, switch):
    switch(TWIN)
    left = Browser.signed_in("alice")
    before = left.cookie
    switch(PLAIN)
    left = same(left)
    left.get("/rotate/")
    assert left.cookie != before
    switch(TWIN)
    left = same(left)
    assert left.who() == "alice"
    right = Browser.signed_in("alice")
    assert (left.who(), right.who()) == (None, "alice")


def test_inv2_two_processes_one_of_each_kind(start_daphne, site_database):
    """A roll-out: what one of them signs in, the other one knows, and ends."""
    url = site_database("postgres")
    old = start_daphne(DATABASE_URL=url, SESSION_ENGINE=PLAIN.format("db"))
    new = start_daphne(DATABASE_URL=url, SESSION_ENGINE=TWIN.format("db"))
    import httpx

    from tests.site.people import credentials

    def sign_in(client, site):
        answer = client.post(f"{site.url}/api/login/", json=credentials("alice"))
        assert answer.status_code == 200

    def who(client, site):
        return client.get(f"{site.url}/whoami/").json()["user"]

    with httpx.Client() as left, httpx.Client() as right:
        sign_in(left, old)
        assert [who(left, site) for site in (old, new)] == ["alice", "alice"]
        sign_in(right, new)
        assert [who(right, site) for site in (new, old)] == ["alice", "alice"]
        assert who(left, new) is None


def test_inv2_a_row_of_the_session_table_alone_opens_nothing(alice, settings):
    left = Browser.signed_in("alice")
    stored = Session.objects.get()
    right = Browser.signed_in("alice")
    stored.save(force_insert=True)
    assert (left.who(), right.who()) == (None, "alice")
