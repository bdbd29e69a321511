"""User agents in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_single_session.devices import Device, device_of
from live_single_session.middleware import SingleSessionMiddleware
from tests.helpers.browsers import FIREFOX, SAFARI


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (SAFARI, "Mobile Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Windows"),
    ],
)
def test_a_device_in_words(user_agent, device):
    assert str(device_of(user_agent)) == device


@pytest.mark.parametrize(
    "user_agent", ["", "x", "\x00", "<script>alert(1)</script>", "é" * 400]
)
def test_an_unknown_device_is_none(user_agent):
    assert device_of(user_agent) is None


@pytest.mark.parametrize(
    ("device", "words"),
    [(Device("Firefox"), "Firefox"), (Device(system="Linux"), "Linux"), (Device(), "")],
)
def test_half_a_device_in_words(device, words):
    assert str(device) == words


def test_the_patterns_are_loaded_when_the_site_starts_not_by_the_first_sign_in():
    device_of.cache_clear()
    SingleSessionMiddleware(lambda request: None)
    assert device_of.cache_info().misses == 1


@given(st.text())
def test_any_user_agent_is_read(user_agent):
    device = device_of(user_agent)
    assert device is None or str(device)
