"""`ACTIVITY_SECONDS`: when a session was last in use, and who gives way then."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live_single_session import registry
from live_single_session.models import UserSession
from live_single_session.registry import uses
from tests.helpers.browsers import AsyncBrowser, Browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]


@pytest.fixture(autouse=True)
def _forgetful(alice):
    uses.memory.clear()
    yield
    uses.memory.clear()


@pytest.fixture
def clock(monkeypatch):
    """`clock.value += 60`: what this process takes for the time."""

    class Clock:
        value = 1000.0

    monkeypatch.setattr(uses.time, "monotonic", lambda: Clock.value)
    return Clock


def writes(queries):
    return [
        q["sql"] for q in queries if q["sql"].startswith("UPDATE") and "last_seen" in q["sql"]
    ]


def test_nothing_is_written_when_it_is_off(laptop, policy):
    policy()
    laptop.sign_in()
    with CaptureQueriesContext(connection) as queries:
        laptop.who()
    assert writes(queries) == []
    assert UserSession.objects.get().last_seen_at is None


def test_it_is_written_once_in_its_time(laptop, policy, clock):
    policy(ACTIVITY_SECONDS=60)
    laptop.sign_in()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            laptop.who()
    assert len(writes(queries)) <= 1
    seen = UserSession.objects.get().last_seen_at
    assert seen is not None

    clock.value += 60  # as long ago for this process; the database knows better
    laptop.who()
    assert UserSession.objects.get().last_seen_at == seen

    UserSession.objects.update(last_seen_at=seen - timedelta(seconds=61))
    clock.value += 60
    laptop.who()
    assert UserSession.objects.get().last_seen_at >= seen


def test_an_ordinary_request_costs_nothing_in_between(laptop, policy):
    policy()
    laptop.sign_in()
    laptop.who()
    with CaptureQueriesContext(connection) as without:
        laptop.who()
    policy(ACTIVITY_SECONDS=60)
    laptop.who()
    with CaptureQueriesContext(connection) as beside:
        laptop.who()
    assert len(beside) == len(without)


async def test_async_requests_count_too(policy):
    policy(ACTIVITY_SECONDS=60)
    browser = AsyncBrowser()
    await browser.sign_in()
    await browser.who()
    row = await UserSession.objects.aget()
    assert row.last_seen_at is not None


def test_asking_for_the_status_is_no_use(laptop, policy):
    """The script of a page that nobody looks at may ask for days."""
    policy()
    laptop.sign_in()
    policy(ACTIVITY_SECONDS=60)
    assert laptop.get("/session/status/").json()["live"]
    assert UserSession.objects.get().last_seen_at is None
    laptop.who()
    assert UserSession.objects.get().last_seen_at is not None


def test_those_unused_the_longest_give_way(laptop, phone, policy):
    policy(ACTIVITY_SECONDS=60, LIMIT=2)
    laptop.sign_in()
    phone.sign_in()
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    laptop.who()
    uses.memory.clear()
    laptop.who()
    Browser().sign_in()
    assert (laptop.who(), phone.who()) == ("alice", None)


def test_without_it_the_first_signed_in_gives_way(laptop, phone, policy):
    policy(LIMIT=2)
    laptop.sign_in()
    phone.sign_in()
    UserSession.objects.filter(serial=2).update(started_at=timezone.now() - timedelta(hours=1))
    Browser().sign_in()
    assert (laptop.who(), phone.who()) == (None, "alice")


def test_an_ended_session_is_not_touched(laptop, policy):
    laptop.sign_in()
    row = UserSession.objects.get()
    registry.end(row, "revoked")
    assert not uses.record(row.pk)
    assert not uses.record(uuid.uuid4())


def test_a_failure_harms_no_request(laptop, policy, monkeypatch, caplog):
    def fail(*args):
        raise RuntimeError("no database")

    policy(ACTIVITY_SECONDS=60)
    laptop.sign_in()
    uses.memory.clear()
    monkeypatch.setattr(uses, "_touch", fail)
    assert laptop.who() == "alice"
    assert "could not be recorded" in caplog.text


def test_the_memory_is_bounded(clock):
    memory = uses.Memory(3)
    ids = [uuid.uuid4() for _ in range(5)]
    for session_id in ids:
        memory.note(session_id)
    assert len(memory) == 3
    assert [memory.is_due(session_id, 60) for session_id in ids] == [True, True] + [False] * 3
    memory.note(ids[2])  # the latest again
    memory.note(ids[0])
    assert not memory.is_due(ids[2], 60)
    assert memory.is_due(ids[3], 60)
