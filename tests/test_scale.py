"""With 100,000 sessions, every page and command takes as many queries as with three."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import API, FIREFOX, PAGE, SAFARI, Browser

MANY = 100_000
USERS = 10_000
ADMIN = "/admin/live_single_session/usersession/"

AGENTS = [FIREFOX, SAFARI, "", "curl/8.5.0"]


@pytest.fixture
def actions(alice, carol, settings):
    """Everything that reads the registry for somebody, by name."""
    settings.LIVE_SINGLE_SESSION = {
        "LIMIT": None,
        "SLOT": "live_single_session.policy.device_class",
    }
    reader, desk = Browser(), Browser()
    reader.sign_in("alice")
    Browser().sign_in("alice")
    desk.sign_in("carol")
    other = UserSession.objects.filter(user=alice).latest("serial")

    def get(browser, path, headers=PAGE):
        def look():
            assert browser.get(path, headers=headers).status_code == 200

        return look

    def run(*arguments):
        return lambda: call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())

    return {
        "sessions page": get(reader, "/session/"),
        "sessions page 2": get(reader, "/session/?page=2"),
        "sessions as JSON": get(reader, "/session/", API),
        "end one": get(reader, f"/session/{other.pk}/end/"),
        "end others": get(reader, "/session/end-others/"),
        "admin list": get(desk, ADMIN),
        "admin list, live": get(desk, f"{ADMIN}?state=live"),
        "admin search, user": get(desk, f"{ADMIN}?q=alice"),
        "admin search, address": get(desk, f"{ADMIN}?q=127.0.0.1"),
        "admin search, id": get(desk, f"{ADMIN}?q={other.pk}"),
        "admin, one": get(desk, f"{ADMIN}{other.pk}/change/"),
        "list_sessions": run("list_sessions"),
        "list_sessions --json --ended": run("list_sessions", "--json", "--ended"),
        "list_sessions --user": run("list_sessions", "--user", "alice"),
        "end_sessions --dry-run": run("end_sessions", "--all", "--dry-run"),
        "end_sessions --ip": run("end_sessions", "--ip", "203.0.113.7", "--no-input"),
        "prune_sessions --dry-run": run("prune_sessions", "--dry-run"),
        "prune_sessions": run("prune_sessions"),
    }


def _seed():
    now = timezone.now()
    users = User.objects.bulk_create(User(username=f"user{n}") for n in range(USERS))
    UserSession.objects.bulk_create(
        (
            UserSession(
                user=users[n % USERS],
                serial=n,
                ip=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",
                slot="phone" if n % 4 == 1 else "desktop",
                user_agent=AGENTS[n % len(AGENTS)],
                started_at=now - timedelta(minutes=n),
                expires_at=now + timedelta(days=14),
                ended_at=now if n % 3 else None,
                end_reason=EndReason.SUPERSEDED if n % 3 else "",
            )
            for n in range(MANY)
        ),
        batch_size=5000,
    )


def _count(actions):
    counts = {}
    for name, act in actions.items():
        with CaptureQueriesContext(connection) as captured:
            act()
        counts[name] = len(captured)
    return counts


def test_the_number_of_queries_does_not_grow_with_the_registry(actions):
    _count(actions)  # fills Django's own caches
    few = _count(actions)
    _seed()
    many = _count(actions)

    for name, number in many.items():
        print(f"{name:<30} {few[name]:>3} queries with 3 sessions, {number:>3} with {MANY:,}")
    assert many == few
    assert max(many.values()) <= 12
