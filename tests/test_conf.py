"""The settings are read when they are used."""

import os
import subprocess
import sys

import pytest

from live_single_session import policy
from live_single_session.conf import DEFAULTS, conf


def test_defaults_are_those_of_the_contract(settings):
    del settings.LIVE_SINGLE_SESSION
    contract = {
        "LIMIT": 1,
        "ON_LIMIT": "end_oldest",
        "SLOT": None,
        "RECHECK_SECONDS": 30,
        "PUSH_TIMEOUT_SECONDS": 2,
        "WEBSOCKET_PATH": "/ws/live-single-session/",
        "CLIENT_IP": None,
        "RECORD_CLIENT": True,
        "DISCLOSE": {"device", "time"},
        "ACTIVITY_SECONDS": None,
        "KEEP_ENDED_DAYS": 90,
    }
    assert {key: getattr(conf, key) for key in contract} == contract


def test_inv8_a_site_that_sets_nothing_looks_for_no_missing_setting():
    """Django would look for it anew, and fail, some six times for each request."""
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "live_single_session"]
    code = (
        f"import django; from django.conf import settings; "
        f"settings.configure(INSTALLED_APPS={apps}); "
        f"django.setup(); print(settings.LIVE_SINGLE_SESSION)"
    )
    command = [sys.executable, "-c", code]
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    said = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    assert said.stdout.strip() == b"{}"


def test_every_setting_can_be_read(settings):
    settings.LIVE_SINGLE_SESSION = {}
    for key, default in DEFAULTS.items():
        assert (getattr(conf, key) is None) == (default is None)


def test_a_setting_that_changes_is_seen_at_once(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 3}
    assert conf.LIMIT == 3
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None, "ACTIVITY_SECONDS": 60}
    assert conf.LIMIT is None
    assert conf.ACTIVITY_SECONDS == 60


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({"IDLE_SECONDS": 300}, 30),
        ({"IDLE_SECONDS": 86_400}, 60),
        ({"IDLE_SECONDS": policy.staff_only}, 60),
        ({"IDLE_SECONDS": 300, "ACTIVITY_SECONDS": 5}, 5),
        ({"LIFETIME_SECONDS": 300}, None),
    ],
)
def test_use_is_recorded_as_often_as_the_idle_limit_needs(settings, values, seconds):
    settings.LIVE_SINGLE_SESSION = values
    assert seconds == conf.ACTIVITY_SECONDS


@pytest.mark.parametrize("key", ["LIMIT", "SLOT", "CLIENT_IP", "IDLE_SECONDS"])
def test_a_dotted_path_stands_for_what_it_names(settings, key):
    settings.LIVE_SINGLE_SESSION = {key: "live_single_session.policy.staff_only"}
    assert getattr(conf, key) is policy.staff_only


def test_a_callable_stands_for_itself(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": policy.staff_only}
    assert conf.LIMIT is policy.staff_only
