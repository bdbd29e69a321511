"""`manage.py enforce_limits` and `list_sessions`: after the limit has changed."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from live_single_session import policy as rules
from live_single_session.management import progress as progress_module
from live_single_session.models import EndReason, UserSession
from live_single_session.registry import db, limits, maintenance
from tests.helpers.browsers import FIREFOX, Browser, who
from tests.site.people import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]


def run(name, *arguments):
    out, errors = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


@pytest.fixture
def three(policy, alice):
    """Alice in three browsers, from the time when there was no limit."""
    policy(LIMIT=None)
    browsers = [Browser(headers={"User-Agent": FIREFOX}) for _ in range(3)]
    for browser in browsers:
        browser.sign_in()
    return browsers


def raise_for_alice(user, request, slot):
    if user.username == "alice":
        raise LookupError("no contract")
    return 1


def test_a_lowered_limit_ends_the_oldest(three, policy, heard):
    policy(LIMIT=2)
    assert who(*three) == ["alice"] * 3  # changing it ends nobody by itself
    out, errors = run("enforce_limits")
    assert "Sessions ended: 1." in out
    assert "Users: 1 of 1" in errors
    assert who(*three) == [None, "alice", "alice"]
    first, _, third = UserSession.objects.order_by("serial")
    assert (first.end_reason, first.replaced_by) == (EndReason.SUPERSEDED, third)
    assert heard[-1] == ("ended", first)
    assert run("enforce_limits")[0] == "Sessions ended: 0.\n"


def test_a_dry_run_ends_nobody_and_says_whom(three, policy):
    policy(LIMIT=1)
    out, _ = run("enforce_limits", "--dry-run")
    oldest, second, newest = UserSession.objects.order_by("serial")
    assert "Sessions over the limit: 2." in out
    assert out.index(str(oldest.pk)) < out.index(str(second.pk))
    assert str(newest.pk) not in out
    assert who(*three) == ["alice"] * 3


def test_who_was_promoted_has_one_session(three, policy, alice):
    policy(LIMIT="live_single_session.policy.staff_only")
    assert run("enforce_limits")[0] == "Sessions ended: 0.\n"
    alice.is_staff = True
    alice.save()
    assert who(*three) == ["alice"] * 3
    run("enforce_limits")
    assert who(*three) == [None, None, "alice"]


def test_who_was_promoted_has_one_session_after_the_next_login(three, policy, alice):
    policy(LIMIT="live_single_session.policy.staff_only")
    alice.is_staff = True
    alice.save()
    newest = Browser()
    newest.sign_in()
    assert who(*three, newest) == [None, None, None, "alice"]


def test_each_slot_has_a_limit_of_its_own(three, policy, phone):
    policy(LIMIT=None, SLOT=rules.device_class)
    phone.sign_in()
    UserSession.objects.filter(slot="").update(slot="desktop")
    policy(LIMIT=1, SLOT=rules.device_class)
    assert "Sessions ended: 2." in run("enforce_limits")[0]
    assert who(*three, phone) == [None, None, "alice", "alice"]


def test_exempt_sessions_count_for_nothing(three, policy):
    UserSession.objects.filter(serial=1).update(slot=limits.EXEMPT_SLOT)
    policy(LIMIT=1)
    assert "Sessions ended: 1." in run("enforce_limits")[0]
    assert who(*three) == ["alice", None, "alice"]


def test_what_the_engine_has_forgotten_takes_no_place(three, policy):
    three[2].session.forget(three[2].session.session_key)
    policy(LIMIT=2)
    assert "Sessions ended: 0." in run("enforce_limits")[0]
    assert who(*three) == ["alice", "alice", None]
    assert UserSession.objects.get(serial=3).end_reason == EndReason.EXPIRED


def test_a_limit_that_raises_spares_its_user_and_nobody_else(three, bob, policy, caplog):
    for _ in range(2):
        Browser().sign_in("bob")
    policy(LIMIT=raise_for_alice)
    with pytest.raises(CommandError, match="could not be found out: 1"):
        run("enforce_limits")
    assert who(*three) == ["alice"] * 3
    assert UserSession.objects.live().filter(user=bob).count() == 1
    assert "LIVE_SINGLE_SESSION['LIMIT'] raised" in caplog.text


def test_no_limit_asks_for_nothing(three):
    with CaptureQueriesContext(connection) as queries:
        assert "Sessions ended: 0." in run("enforce_limits")[0]
    assert not [q for q in queries if "FROM" in q["sql"]]


def test_users_are_looked_at_in_batches(three, policy, monkeypatch):
    monkeypatch.setattr(db, "CHUNK", 2)
    policy(LIMIT=None)
    users = [User.objects.create_user(f"user{n}", password=PASSWORD) for n in range(5)]
    for user in users:
        Browser().sign_in(user.username)
        Browser().sign_in(user.username)
    policy(LIMIT=1)
    assert [len(batch) for batch in maintenance.users_over_limit()] == [2, 2, 2]
    assert maintenance.count_users_over_limit() == 6
    out, errors = run("enforce_limits")
    assert "Sessions ended: 7." in out
    assert "Users: 6 of 6" in errors
    assert UserSession.objects.live().count() == 6


def test_a_bar_on_a_terminal(three, policy, monkeypatch, capsys):
    class Terminal(StringIO):
        def isatty(self):
            return True

    policy(LIMIT=1)
    call_command("enforce_limits", stdout=StringIO(), stderr=Terminal())
    assert "1/1" in capsys.readouterr().err

    monkeypatch.setattr(progress_module, "tqdm", None)
    errors = Terminal()
    policy(LIMIT=None)
    Browser().sign_in()
    policy(LIMIT=1)
    call_command("enforce_limits", stdout=StringIO(), stderr=errors)
    assert errors.getvalue() == "Users: 1 of 1\n"


def test_list_sessions(three, bob, policy):
    Browser().sign_in("bob")
    lines = run("list_sessions")[0].splitlines()
    assert lines[0].split() == [
        "user",
        "slot",
        "device",
        "signed",
        "in",
        "(UTC)",
        "last",
        "seen",
        "(UTC)",
        "ends",
        "(UTC)",
        "id",
    ]
    assert [line.split()[0] for line in lines[1:]] == ["alice"] * 3 + ["bob"]
    assert "Firefox on Linux" in lines[1]
    assert three[0].cookie not in "".join(lines)
    assert len(run("list_sessions", "--user", "bob")[0].splitlines()) == 2
    with pytest.raises(CommandError, match="nobody"):
        run("list_sessions", "--user", "nobody")


def test_what_observing_would_have_ended_is_listed(alice, laptop, phone, policy):
    policy(ON_LIMIT="observe")
    laptop.sign_in()
    phone.sign_in()
    assert (laptop.who(), phone.who()) == ("alice", "alice")
    lines = run("list_sessions", "--over-limit")[0].splitlines()
    assert [line.split()[-1] for line in lines[1:]] == [
        str(UserSession.objects.get(serial=1).pk)
    ]
    alone = run("list_sessions", "--over-limit", "--user", "alice")[0].splitlines()
    assert alone == lines
