"""Invariant 7: what is mailed to a site's admins of an error holds no session key."""

import pytest
from django.db import DatabaseError, connection
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.saving import Saving
from tests.helpers.browsers import PAGE, Browser
from tests.site.people import credentials

pytestmark = pytest.mark.django_db(transaction=True)


@sensitive_variables()
def broken(*args, **kwargs):
    raise RuntimeError("broken")


def sign_in_elsewhere(browser):
    log_in(Browser(raise_request_exception=False), "alice")


def switch_users(browser):
    log_in(browser, "bob")


def log_in(browser, name):
    browser.post_json("/api/login/", credentials(name))


def rotate(browser):
    browser.get("/rotate/")


def come_back(browser):
    browser.get("/private/", headers=PAGE)


def ask(browser):
    browser.get("/session/status/")


def sign_out(browser):
    browser.post("/api/logout/")


WITH_A_DEAD_COOKIE = [come_back, ask]

WHERE = [
    (sign_in_elsewhere, "registry.eviction.enforce_limit"),
    (sign_in_elsewhere, "registry.db.chunks"),
    (sign_in_elsewhere, "registry.engine.delete_rows"),
    (switch_users, "registry.records.read_for_sign_in"),
    (switch_users, "registry.records.insert"),
    (rotate, "registry.records.live_row"),
    (rotate, "registry.cleanup.mark"),
    (come_back, "registry.records.find_session"),
    (come_back, "http.follow_ups.notice_of"),
    (ask, "session_status.notice_of"),
    (sign_out, "registry.ending.end_rows"),
    (sign_out, "registry.engine.shares_transaction"),
]


@pytest.mark.parametrize(("what", "where"), WHERE)
def test_inv7_reports_of_errors(what, where, alice, bob, reports, monkeypatch):
    browser = Browser(raise_request_exception=False)
    browser.sign_in()
    key = browser.cookie
    if what in WITH_A_DEAD_COOKIE:
        Browser().sign_in()
    monkeypatch.setattr(f"live_single_session.{where}", broken)
    what(browser)
    [report] = reports
    assert "RuntimeError" in report
    assert key not in report


@pytest.mark.parametrize(
    "statement",
    [
        'INSERT INTO "live_single_session_usersession"',
        'UPDATE "live_single_session_usersession"',
        'INSERT INTO "django_session"',
    ],
)
def test_inv7_reports_of_statements_that_fail(statement, alice, reports, monkeypatch):
    """Django finds out what to hide by the callers of a frame: a generator has none."""
    Browser().sign_in()
    browser, keys = Browser(raise_request_exception=False), []
    take_new_key = Saving.take_new_key

    def noting(session):
        take_new_key(session)
        keys.append(session.session_key)

    def fail(execute, sql, params, many, context):
        if str(sql).startswith(statement):
            raise DatabaseError("broken")
        return execute(sql, params, many, context)

    monkeypatch.setattr(Saving, "take_new_key", noting)
    with connection.execute_wrapper(fail):
        log_in(browser, "alice")
    [report] = reports
    assert "DatabaseError" in report
    assert keys
    assert not [key for key in keys if key in report]
