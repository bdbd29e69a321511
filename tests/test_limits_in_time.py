"""Where limits in time are shown, and what looks after sessions whose time is over."""

import json
from io import StringIO

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from live_single_session.models import UserSession
from live_single_session.registry import statistics
from live_single_session.templatetags.live_single_session import script_tag
from tests.helpers.browsers import API, PAGE, Browser, reasons

pytestmark = pytest.mark.django_db(transaction=True)

IDLE, ACTIVITY = 900, 60


@pytest.fixture
def limits(policy):
    policy(LIMIT=None, IDLE_SECONDS=IDLE)


@pytest.fixture
def two(alice, limits, after):
    """A session that somebody uses, and one that nobody does any more."""
    used, left = Browser.signed_in("alice"), Browser.signed_in("alice")
    after(IDLE - 1)
    used.who()
    after(ACTIVITY + 2)
    return used, left


def test_the_page_and_its_json_say_when_a_session_will_end(alice, limits):
    browser = Browser.signed_in("alice")
    assert "ends in 15\xa0minutes" in browser.get("/session/", headers=PAGE).content.decode()
    (told,) = browser.get("/session/", headers=API).json()["sessions"]
    assert told["ends_by"] == "idle"
    assert told["ends_at"] == UserSession.objects.get().ends_at.isoformat()


def test_nothing_is_said_where_no_limit_applies(alice, policy):
    browser = Browser.signed_in("alice")
    assert "ends in" not in browser.get("/session/", headers=PAGE).content.decode()
    (told,) = browser.get("/session/", headers=API).json()["sessions"]
    assert (told["ends_at"], told["ends_by"]) == (None, None)


def test_the_page_ends_what_is_over(two):
    used, left = two
    told = used.get("/session/", headers=API).json()["sessions"]
    assert [each["end_reason"] for each in told] == [None, "idle"]
    assert left.why_ended() == "idle"


def test_the_admin_says_when_a_session_will_end(carol, limits):
    browser = Browser.signed_in("carol")
    listed = browser.get("/admin/live_single_session/usersession/").content.decode()
    assert "Will end" in listed
    row = UserSession.objects.get()
    shown = browser.get(f"/admin/live_single_session/usersession/{row.pk}/change/")
    assert "not used for too long" in shown.content.decode()


def test_the_command_says_when_sessions_will_end(alice, limits):
    Browser.signed_in("alice")
    out, as_json = StringIO(), StringIO()
    call_command("list_sessions", stdout=out)
    call_command("list_sessions", "--json", stdout=as_json)
    ends_at = UserSession.objects.get().ends_at
    assert f"{ends_at:%Y-%m-%d %H:%M}" in out.getvalue()
    assert json.loads(as_json.getvalue())["ends_at"] == ends_at.isoformat()


def test_pruning_ends_what_nobody_looks_at(two, heard):
    call_command("prune_sessions", stdout=StringIO())
    assert reasons() == ["", "idle"]
    (kind, session) = heard[-1]
    assert (kind, session.end_reason) == ("ended", "idle")


def test_what_is_over_counts_as_live_nowhere(two):
    (summary,) = statistics.summarize().slots.values()
    assert summary.live == 1


def test_without_limits_the_page_has_no_script_for_them(alice, rf, policy):
    request = rf.get("/")
    request.session, request.user = SessionStore(), alice
    policy()
    assert "live-single-session-time.js" not in script_tag(request)
    policy(LIFETIME_SECONDS=3600)
    assert "live-single-session-time.js" in script_tag(request)
    assert "data-idle" not in script_tag(request)
    policy(IDLE_SECONDS=3600)
    assert "data-idle" in script_tag(request)


def test_a_working_day_takes_a_write_a_minute(alice, limits, after):
    """A request each half minute, from nine to five."""
    browser = Browser.signed_in("alice")
    written = asked = 0
    for _ in range(8 * 120):
        after(30)
        with CaptureQueriesContext(connection) as queries:
            browser.who()
        asked += len(queries)
        written += sum("UPDATE" in query["sql"] for query in queries)
    print(f"{written} writes and {asked} queries for 960 requests")
    assert written <= 8 * 60
    assert browser.who() == "alice"


@pytest.mark.parametrize("how", ["status", "poll"])
def test_a_day_of_questions_keeps_nobody_signed_in(alice, limits, after, how):
    browser = Browser.signed_in("alice")
    answers = []
    for _ in range(24 * 6):
        after(600)
        if how == "status":
            answers.append(browser.get("/session/status/").status_code)
        else:
            headers = {**API, "Session-Passive": "1"}
            answers.append(browser.get("/api/private/", headers=headers).status_code)
    assert answers[0] == 200
    assert set(answers[1:]) == {401}
    assert reasons() == ["idle"]
