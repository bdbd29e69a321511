"""The rules themselves, by table and by property: over plain values."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_single_session.devices import class_of
from live_single_session.policy import device_class, oldest_first, over_limit
from tests.helpers.browsers import FIREFOX, SAFARI

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Login:
    serial: int
    started_at: datetime = NOON
    last_seen_at: datetime | None = None
    present_until: datetime | None = None


moments = st.integers(-1000, 1000).map(lambda minutes: NOON + timedelta(minutes=minutes))
logins = st.builds(
    Login, serial=st.integers(), started_at=moments, last_seen_at=st.none() | moments
)
many_logins = st.lists(logins, max_size=30, unique_by=lambda login: login.serial)
limits = st.none() | st.integers(1, 35)


@given(others=many_logins, limit=limits, places=st.integers(0, 1), by_use=st.booleans())
def test_inv1_what_remains_never_exceeds_the_limit(others, limit, places, by_use):
    over = over_limit(others, limit, places=places, by_use=by_use)
    assert set(over) <= set(others)
    assert len(set(over)) == len(over)
    remaining = len(others) - len(over) + places
    if limit is None:
        assert over == []
    else:
        assert remaining <= limit
        # and nobody gives way needlessly
        assert remaining == min(limit, len(others) + places)


@given(others=many_logins, newcomer=logins, limit=limits, by_use=st.booleans())
def test_inv1_the_newcomer_never_gives_way(others, newcomer, limit, by_use):
    """However old it looks: it is not among those that the rule chooses from."""
    over = over_limit(others, limit, by_use=by_use)
    assert not any(login is newcomer for login in over)
    assert limit is None or len(others) - len(over) < limit


@given(others=many_logins, limit=limits, by_use=st.booleans(), data=st.data())
def test_the_order_of_the_rows_does_not_matter(others, limit, by_use, data):
    shuffled = data.draw(st.permutations(others))
    assert over_limit(shuffled, limit, by_use=by_use) == over_limit(
        others, limit, by_use=by_use
    )


@given(others=many_logins, limit=st.integers(1, 35), by_use=st.booleans())
def test_those_that_give_way_are_older_than_those_that_stay(others, limit, by_use):
    over = over_limit(others, limit, by_use=by_use)
    ordered = oldest_first(others, by_use=by_use)
    assert ordered[: len(over)] == over


@given(others=many_logins, limit=st.integers(1, 35), by_use=st.booleans())
def test_a_lower_limit_ends_no_fewer(others, limit, by_use):
    lower, higher = (over_limit(others, n, by_use=by_use) for n in (limit, limit + 1))
    assert lower[: len(higher)] == higher


def seen(serial, minutes):
    return Login(serial, last_seen_at=NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("others", "by_use", "order"),
    [
        ([seen(1, 5), seen(2, 3), seen(3, 9)], True, [2, 1, 3]),
        ([seen(1, 5), seen(2, 3), seen(3, 9)], False, [1, 2, 3]),
        # never seen since: last used when it was signed in to
        ([seen(1, 5), Login(2, started_at=NOON)], True, [2, 1]),
        ([seen(1, -5), Login(2, started_at=NOON)], True, [1, 2]),
        # at the same moment: in the order of their logins
        ([seen(2, 5), seen(1, 5)], True, [1, 2]),
        ([], True, []),
    ],
)
def test_who_gives_way_first(others, by_use, order):
    assert [login.serial for login in oldest_first(others, by_use=by_use)] == order


CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        (FIREFOX, "desktop"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "desktop"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "desktop"),
        (SAFARI, "phone"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0", "phone"),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A)", "phone"),
        ("okhttp/4.12.0", "phone"),
        ("Example/3 (Android 14) okhttp/5.1.0", "phone"),
        ("Dart/3.9 (dart:io)", "phone"),
        (
            f"Mozilla/5.0 (Linux; Android 15; Pixel 8; wv) {CHROME} Mobile Safari/537.36",
            "phone",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {WEBKIT} Mobile/15E148",
            "phone",
        ),
        ("Example/1.0 (iPad; iOS 18.0; Scale/2.00) CFNetwork/1498", "tablet"),
        ("Example/12 CFNetwork/1498 Darwin/23.2.0 (x86_64)", "desktop"),
        ("Example/12 CFNetwork/1410.0.3 Darwin/22.6.0", "phone"),
        ("Mozilla/5.0 (Mobile; Nokia 8110 4G; rv:48.0) Gecko/48.0 KAIOS/2.5", "phone"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Safari/537.36", "tablet"),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {CHROME} Safari/537.36", "tablet"),
        ("Mozilla/5.0 (Android 15; Tablet; rv:142.0) Gecko/142.0 Firefox/142.0", "tablet"),
        (f"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) {WEBKIT} CriOS/133.0", "tablet"),
        # Safari on an iPad says that it is a Mac, and there is no way to know better.
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Safari/605.1.15",
            "desktop",
        ),
        ("curl/8.5.0", "desktop"),
        ("", "desktop"),
    ],
)
def test_kinds_of_devices(rf, user_agent, kind):
    assert class_of(user_agent) == kind
    assert device_class(None, rf.get("/", headers={"User-Agent": user_agent})) == kind


def test_without_a_request_it_is_a_desktop():
    assert device_class(None, None) == "desktop"


@given(st.text(max_size=600))
def test_no_user_agent_breaks_it(user_agent):
    assert class_of(user_agent) in ("phone", "tablet", "desktop")
