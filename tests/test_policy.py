"""The rules of giving way, over plain values."""

import random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_single_session.policy import oldest_first, over_limit, staff_only


def logins(serials):
    return [SimpleNamespace(serial=serial) for serial in serials]


def serials(found):
    return [login.serial for login in found]


@pytest.mark.parametrize(
    ("others", "limit", "evict_adopted"),
    [
        ([], 1, []),
        ([1], 1, [1]),
        ([1], 2, []),
        ([3, 1, 2], 1, [1, 2, 3]),
        ([3, 1, 2], 2, [1, 2]),
        ([3, 1, 2], 3, [1]),
        ([3, 1, 2], 4, []),
        ([3, 1, 2], None, []),
        ([-4, 0, 7], 2, [-4, 0]),
    ],
)
def test_inv1_the_oldest_give_way(others, limit, evict_adopted):
    assert serials(over_limit(logins(others), limit)) == evict_adopted


@given(
    others=st.lists(st.integers(), unique=True, max_size=30),
    limit=st.integers(min_value=1, max_value=40),
    seed=st.integers(),
)
def test_inv1_at_most_the_limit_remains_and_only_the_oldest_go(others, limit, seed):
    shuffled = logins(others)
    random.Random(seed).shuffle(shuffled)
    gone = serials(over_limit(shuffled, limit))
    kept = set(others) - set(gone)
    assert len(kept) + 1 <= limit or not others
    assert len(gone) == max(0, len(others) + 1 - limit)
    assert all(old < new for old in gone for new in kept)
    assert gone == sorted(gone)


def test_counting_needs_no_place_for_a_newcomer():
    assert over_limit(logins([1, 2]), 2, places=0) == []
    assert serials(over_limit(logins([1, 2, 3]), 2, places=0)) == [1]


def test_oldest_first_goes_by_serial():
    assert serials(oldest_first(logins([5, -1, 3]))) == [-1, 3, 5]


@pytest.mark.parametrize(("is_staff", "limit"), [(True, 1), (False, None)])
def test_staff_only_limits_staff(is_staff, limit):
    assert staff_only(SimpleNamespace(is_staff=is_staff), None, "") == limit
