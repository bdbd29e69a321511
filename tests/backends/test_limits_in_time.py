"""`IDLE_SECONDS` and `LIFETIME_SECONDS`, on each engine and through both kinds of view.

No socket is open in these tests, and nothing re-checks: what ends a session is the gate alone.
"""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from live_single_session.registry import uses
from tests.helpers.browsers import Browser, live, reasons

pytestmark = pytest.mark.usefixtures("engine_and_cache")

IDLE, ACTIVITY, LIFETIME = 900, 60, 3600


@pytest.fixture
def idle(policy):
    policy(IDLE_SECONDS=IDLE, ACTIVITY_SECONDS=ACTIVITY)


@pytest.fixture
def laptop(twin):
    return Browser(twin)


def test_inv2_a_session_that_nobody_used_ends_in_time(laptop, idle, after):
    laptop.sign_in()
    assert laptop.who() == "alice"
    after(IDLE + ACTIVITY + 1)
    assert laptop.why_ended() == "idle"
    assert reasons() == ["idle"]
    assert laptop.who() is None


def test_inv9_not_before_its_time_and_use_prolongs_it(laptop, idle, after):
    laptop.sign_in()
    for _ in range(3):
        after(IDLE - 1)
        assert laptop.who() == "alice"
    assert reasons() == [""]


def test_inv9_use_that_was_not_recorded_counts(laptop, idle, after):
    """It comes just before it would be recorded again."""
    laptop.sign_in()
    assert laptop.who() == "alice"
    after(ACTIVITY - 5)
    assert laptop.who() == "alice"
    after(IDLE - 1)
    assert laptop.who() == "alice"


def test_inv9_use_that_another_process_recorded_counts(laptop, idle, after):
    laptop.sign_in()
    assert laptop.who() == "alice"
    for _ in range(3):
        after(ACTIVITY - 5)
        uses.memory.clear()  # a process that knows nothing of the session yet
        assert laptop.who() == "alice"
        after(ACTIVITY - 5)  # it isn't to take its own look for the record
        assert laptop.who() == "alice"
        after(IDLE - 1)
        assert laptop.who() == "alice"


def test_inv2_a_replayed_cookie_does_not_come_back_to_life(laptop, idle, after):
    laptop.sign_in()
    cookie = laptop.cookie
    after(IDLE + ACTIVITY + 1)
    for _ in range(3):
        laptop.cookie = cookie
        assert laptop.who() is None


def test_inv2_late_use_revives_nobody(laptop, idle, after):
    laptop.sign_in()
    after(IDLE + ACTIVITY + 1)
    assert not uses.record(live()[0].pk)
    assert laptop.why_ended() == "idle"


def test_a_lifetime_ends_a_session_in_use(laptop, policy, after):
    policy(LIFETIME_SECONDS=LIFETIME)
    laptop.sign_in()
    for _ in range(3):
        after(LIFETIME // 3 - 1)
        assert laptop.who() == "alice"
    after(4)
    assert laptop.why_ended() == "lifetime"


def test_the_earlier_of_both_limits_counts(laptop, policy, after):
    policy(IDLE_SECONDS=IDLE, ACTIVITY_SECONDS=ACTIVITY, LIFETIME_SECONDS=LIFETIME)
    laptop.sign_in()
    assert live()[0].ends_by == "idle"
    for _ in range(LIFETIME // (IDLE // 2) - 1):
        after(IDLE // 2)
        assert laptop.who() == "alice"
    assert live()[0].ends_by == "lifetime"
    after(IDLE // 2 + 1)
    assert laptop.why_ended() == "lifetime"


def test_a_limit_may_depend_on_the_user(twin, policy, after, bob):
    policy(IDLE_SECONDS=lambda user, request: IDLE if user.get_username() == "alice" else None)
    alice, other = Browser.signed_in("alice", twin=twin), Browser.signed_in("bob", twin=twin)
    after(IDLE + ACTIVITY + 1)
    assert (alice.who(), other.who()) == (None, "bob")


def test_inv9_a_limit_that_is_taken_out_of_the_settings_ends_nobody(
    laptop, idle, after, policy
):
    laptop.sign_in()
    after(IDLE + ACTIVITY + 1)
    policy()
    assert laptop.who() == "alice"
    policy(LIFETIME_SECONDS=LIFETIME)
    assert laptop.who() == "alice"


def test_a_limit_that_comes_applies_from_the_next_use(laptop, policy, after):
    policy()
    laptop.sign_in()
    after(10 * IDLE)
    policy(IDLE_SECONDS=IDLE, ACTIVITY_SECONDS=ACTIVITY, LIFETIME_SECONDS=20 * IDLE)
    assert laptop.who() == "alice"
    assert live()[0].ends_by == "idle"
    after(IDLE + ACTIVITY + 1)
    assert laptop.why_ended() == "idle"


def test_passive_requests_prolong_nothing(laptop, idle, after):
    laptop.sign_in()
    for _ in range(IDLE // ACTIVITY):
        after(ACTIVITY)
        laptop.get("/whoami/", headers={"Session-Passive": "1"})
        laptop.get("/whoami/", headers={"Sec-Purpose": "prefetch;prerender"})
        Client.get(laptop, "/session/status/")
    after(ACTIVITY + 1)
    assert laptop.why_ended() == "idle"


def test_inv8_in_between_a_request_costs_nothing(laptop, policy, after):
    policy()
    laptop.sign_in()
    laptop.who()
    with CaptureQueriesContext(connection) as without:
        laptop.who()
    policy(IDLE_SECONDS=IDLE, ACTIVITY_SECONDS=ACTIVITY, LIFETIME_SECONDS=LIFETIME)
    laptop.who()
    with CaptureQueriesContext(connection) as beside:
        laptop.who()
    assert len(beside) == len(without), [query["sql"] for query in beside]


def test_one_write_for_a_session_in_its_time(laptop, idle, after):
    """Somebody works for a while, with a request each twenty seconds."""
    laptop.sign_in()
    period, step, writes = 1200, 20, 0
    for _ in range(period // step):
        after(step)
        with CaptureQueriesContext(connection) as queries:
            laptop.who()
        sqls = [query["sql"] for query in queries]
        writes += sum("UPDATE" in sql and "last_seen_at" in sql for sql in sqls)
    assert period // ACTIVITY - 2 <= writes <= period // ACTIVITY


def test_an_overdue_session_is_in_nobodys_way(twin, policy, after):
    policy(IDLE_SECONDS=IDLE, ACTIVITY_SECONDS=ACTIVITY, ON_LIMIT="refuse")
    old, new = Browser(twin), Browser(twin)
    old.sign_in()
    after(IDLE + ACTIVITY + 1)
    new.sign_in()
    assert reasons() == ["idle", ""]
    assert old.why_ended() == "idle"
