"""`manage.py list_sessions --summary`: what "observe" teaches before a limit is set."""

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from live_single_session.models import UserSession

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def run(*arguments):
    out = io.StringIO()
    call_command("list_sessions", "--summary", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def sessions(db):
    """`sessions("ann", 3, 100)`: two sessions of ann, last used so many hours ago."""
    serial = iter(range(1, 1000))

    def add(name, *hours, slot="", kind="session", expired=False):
        user, _ = User.objects.get_or_create(username=name)
        now = timezone.now()
        for hour in hours:
            row = UserSession.objects.create(
                user=user,
                serial=next(serial),
                slot=slot,
                kind=kind,
                started_at=now - 400 * HOUR,
                expires_at=now - HOUR if expired else now + 300 * HOUR,
            )
            UserSession.objects.filter(pk=row.pk).update(last_seen_at=now - hour * HOUR)

    return add


def test_an_abandoned_cookie_is_no_second_device(sessions, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None, "ACTIVITY_SECONDS": 60}
    sessions("both", 1, 2)
    sessions("moved-on", 1, 300)
    sessions("alone", 3)
    sessions("three", 1, 2, 23)
    sessions("away", 48, 300)
    sessions("expired", 1, 1, expired=True)

    found = json.loads(run("--over-limit", "--json"))

    assert found["slots"] == [
        {
            "slot": "",
            "kind": "session",
            "live": 10,
            "used_last_day": 7,
            "users": {"1": 1, "2": 3, "3": 1},
        }
    ]
    assert found["interrupted_per_day"] == {"1": 2, "2": 1, "3": 0, "4": 0, "5": 0}
    assert found["records_last_use"] is True


def test_a_limit_counts_by_slot_and_over_both_kinds(sessions):
    sessions("ann", 1, slot="phone", kind="token")
    sessions("ann", 2, slot="phone")
    sessions("bob", 1, slot="phone")
    sessions("bob", 1, slot="desktop")
    sessions("cem", 1, 1, 1, slot="(exempt)")

    found = json.loads(run("--json"))

    assert [(each["slot"], each["kind"], each["users"]) for each in found["slots"]] == [
        ("(exempt)", "session", {"3": 1}),
        ("desktop", "session", {"1": 1}),
        ("phone", "session", {"1": 2}),
        ("phone", "token", {"1": 1}),
    ]
    assert found["interrupted_per_day"]["1"] == 1


def test_without_last_use_it_says_so_and_counts_sign_ins(sessions, settings):
    sessions("ann", 1, 1)
    UserSession.objects.update(last_seen_at=None)
    settings.LIVE_SINGLE_SESSION = {}

    text = run()

    assert "Slot -, kind session: 2 live sessions" in text
    assert "users: 1 with 2" in text
    assert "used in the last day: 0" in text
    assert "ACTIVITY_SECONDS" in text


def test_one_user_and_nobody(sessions):
    sessions("ann", 1, 1)
    sessions("bob", 1)
    assert json.loads(run("--user", "bob", "--json"))["slots"][0]["live"] == 1
    UserSession.objects.all().delete()
    assert "There are no live sessions." in run()
    with pytest.raises(CommandError) as caught:
        run("--ended")
    assert caught.value.returncode == 2


def test_a_large_site_is_counted_in_one_query(sessions, django_assert_num_queries):
    for number in range(30):
        sessions(f"user{number}", 1, 2)
    with django_assert_num_queries(1):
        assert json.loads(run("--json"))["interrupted_per_day"]["1"] == 30
