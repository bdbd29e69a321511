"""System checks: one test for each id, and the real ``check`` command."""

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, connections

from live_single_session.checks import installation, neighbours
from live_single_session.conf import DEFAULTS
from tests.servers.process import ROOT

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
PUBSUB = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}}


def redis(capacity=1000, **host):
    """A layer that nobody connects to: the checks look at its settings only."""
    address = {"address": "redis://127.0.0.1:1", **host}
    config = {"hosts": [address], "capacity": capacity}
    return {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": config}}


OURS = "live_single_session.middleware.SingleSessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"

not_callable = "a string"


@pytest.fixture(autouse=True)
def _a_site_in_production(settings):
    settings.LIVE_SINGLE_SESSION = {}
    settings.CHANNEL_LAYERS = redis(socket_timeout=30)


def messages():
    return {
        message.id.removeprefix("live_single_session."): message
        for message in run_checks()
        if (message.id or "").startswith("live_single_session.")
    }


def test_the_defaults_pass():
    assert messages() == {}


def test_all_keys_of_the_contract_are_known(settings):
    settings.LIVE_SINGLE_SESSION = dict(DEFAULTS)
    assert messages() == {}


def test_checks_run_in_the_check_command(settings):
    call_command("check")
    settings.LIVE_SINGLE_SESSION = {"LIMTI": 1}
    with pytest.raises(CommandError, match=r"live_single_session\.E002"):
        call_command("check")


@pytest.mark.parametrize("value", [None, [], "LIMIT"])
def test_e001_setting_is_no_dict(settings, value):
    settings.LIVE_SINGLE_SESSION = value
    assert messages().keys() == {"E001"}


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("LIMTI", "LIMIT"),
        ("limit", "LIMIT"),
        ("RECHECK", "RECHECK_SECONDS"),
        ("ON_LIMITS", "ON_LIMIT"),
        ("PUSH_TIMEOUT", "PUSH_TIMEOUT_SECONDS"),
        (3, ""),
    ],
)
def test_e002_unknown_key_names_the_nearest(settings, key, nearest):
    settings.LIVE_SINGLE_SESSION = {key: 1}
    found = messages()
    assert found.keys() == {"E002"}
    assert repr(key) in found["E002"].msg
    assert nearest in found["E002"].hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LIMIT", 0),
        ("LIMIT", -1),
        ("LIMIT", True),
        ("LIMIT", 1.5),
        ("LIMIT", []),
        ("ON_LIMIT", "end_newest"),
        ("ON_LIMIT", None),
        ("ON_LIMIT", []),
        ("SLOT", 3),
        ("RECHECK_SECONDS", 0),
        ("RECHECK_SECONDS", "30"),
        ("RECHECK_SECONDS", None),
        ("PUSH_TIMEOUT_SECONDS", -1),
        ("PUSH_TIMEOUT_SECONDS", None),
        ("PUSH_TIMEOUT_SECONDS", True),
        ("WEBSOCKET_PATH", "ws/"),
        ("WEBSOCKET_PATH", ""),
        ("WEBSOCKET_PATH", 3),
        ("CLIENT_IP", 3),
        ("RECORD_CLIENT", "no"),
        ("DISCLOSE", "device"),
        ("DISCLOSE", ("device", "place")),
        ("DISCLOSE", ([],)),
        ("DISCLOSE", None),
        ("ACTIVITY_SECONDS", 0),
        ("IDLE_SECONDS", 0),
        ("IDLE_SECONDS", True),
        ("LIFETIME_SECONDS", -1),
        ("LIFETIME_SECONDS", []),
        ("WARN_SECONDS", 19),
        ("WARN_SECONDS", None),
        ("KEEP_ENDED_DAYS", -1),
        ("KEEP_ENDED_DAYS", None),
    ],
)
def test_e003_wrong_value_names_its_key(settings, key, value):
    settings.LIVE_SINGLE_SESSION = {key: value}
    found = messages()
    assert found.keys() == {"E003"}
    assert repr(key) in found["E003"].msg
    assert found["E003"].hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LIMIT", None),
        ("LIMIT", 5),
        ("LIMIT", lambda user, request, slot: 1),
        ("LIMIT", "live_single_session.policy.staff_only"),
        ("ON_LIMIT", "refuse"),
        ("ON_LIMIT", "ask"),
        ("ON_LIMIT", "observe"),
        ("RECHECK_SECONDS", 0.5),
        ("WEBSOCKET_PATH", None),
        ("DISCLOSE", ()),
        ("DISCLOSE", ["ip"]),
        ("ACTIVITY_SECONDS", 60),
        ("IDLE_SECONDS", 900),
        ("IDLE_SECONDS", lambda user, request: None),
        ("LIFETIME_SECONDS", 86_400),
        ("WARN_SECONDS", 20),
        ("KEEP_ENDED_DAYS", 0),
    ],
)
def test_values_of_the_contract_pass(settings, key, value):
    settings.LIVE_SINGLE_SESSION = {key: value}
    assert messages() == {}


@pytest.mark.parametrize("key", ["IDLE_SECONDS", "LIFETIME_SECONDS"])
def test_e007_a_session_is_warned_from_its_beginning(settings, key):
    settings.LIVE_SINGLE_SESSION = {key: 60}
    found = messages()
    assert found.keys() == {"E007"}
    assert repr(key) in found["E007"].msg
    settings.LIVE_SINGLE_SESSION = {key: 60, "WARN_SECONDS": 20}
    assert messages() == {}


@pytest.mark.parametrize("key", ["LIMIT", "SLOT", "CLIENT_IP"])
@pytest.mark.parametrize(
    "path",
    [
        "",
        "nowhere",
        "no.such.module",
        "tests.checks.test_checks.gone",
        "tests.checks.test_checks.not_callable",
    ],
)
def test_e004_bad_dotted_path(settings, key, path):
    settings.LIVE_SINGLE_SESSION = {key: path}
    found = messages()
    assert found.keys() == {"E004"}
    assert repr(key) in found["E004"].msg


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_e005_engine_of_djangos_lets_ended_sessions_live_on(settings, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    found = messages()
    assert found.keys() == {"E005"}
    assert f"live_single_session.backends.{engine}" in found["E005"].hint


def test_e005_engine_of_somebody_else_needs_the_fence(settings):
    settings.SESSION_ENGINE = "tests.backends.plain_engine"
    found = messages()
    assert found.keys() == {"E005"}
    assert "live_single_session.backends.fence.Fence" in found["E005"].hint


DJANGOS = "django.contrib.sessions.backends.db"


def run_with_djangos_engine(tmp_path, *arguments):
    """Run a command as a person does; return whether it succeeded, and what it printed."""
    (tmp_path / "plain_settings.py").write_text(
        f"from tests.settings import *\nSESSION_ENGINE = {DJANGOS!r}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "plain_settings",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [[], ["--deploy"], ["--deploy", "--database=default"]])
def test_e005_fails_check_however_it_is_called(tmp_path, arguments):
    succeeded, printed = run_with_djangos_engine(tmp_path, "check", *arguments)
    assert not succeeded
    assert printed.count("live_single_session.E005") == 1


def test_inv10_e005_does_not_stop_migrate(tmp_path):
    """A site that has set the engine back, to take the package out, can still migrate."""
    succeeded, printed = run_with_djangos_engine(tmp_path, "migrate")
    assert succeeded, printed


def set_isolation(settings, monkeypatch, vendor, level):
    connection = connections["default"]
    monkeypatch.setattr(connection, "vendor", vendor)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"isolation_level": level})


@pytest.mark.parametrize(
    ("vendor", "level"),
    [("postgresql", 3), ("postgresql", 4), ("mysql", "repeatable read"), ("mysql", None)],
)
def test_e006_isolation_by_which_sign_ins_do_not_see_each_other(
    settings, monkeypatch, vendor, level
):
    set_isolation(settings, monkeypatch, vendor, level)
    assert "E006" in messages()


@pytest.mark.parametrize(("vendor", "level"), [("postgresql", 2), ("mysql", "READ COMMITTED")])
def test_read_committed_passes(settings, monkeypatch, vendor, level):
    set_isolation(settings, monkeypatch, vendor, level)
    assert "E006" not in messages()


@pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "file", "signed_cookies"])
def test_our_own_engines_pass(settings, engine):
    settings.SESSION_ENGINE = f"live_single_session.backends.{engine}"
    assert messages() == {}


def test_w001_middleware_is_missing(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != OURS]
    assert messages().keys() == {"W001"}


@pytest.mark.parametrize(
    "other", [AUTHENTICATION, "django.contrib.messages.middleware.MessageMiddleware"]
)
def test_w002_middleware_stands_too_early(settings, other):
    others = [name for name in settings.MIDDLEWARE if name not in (OURS, other)]
    settings.MIDDLEWARE = [*others, OURS, other]
    found = messages()
    assert found.keys() == {"W002"}
    assert other in found["W002"].msg


@pytest.mark.parametrize(
    ("on_limit", "in_front", "found"),
    [
        ("refuse", True, {"W010"}),
        ("ask", True, {"W010"}),
        ("refuse", False, set()),
        ("end_oldest", True, set()),
    ],
)
def test_w010_a_sign_in_that_is_refused_in_front_of_the_middleware(
    settings, on_limit, in_front, found
):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": on_limit}
    place = settings.MIDDLEWARE.index(OURS) + (not in_front)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE]
    settings.MIDDLEWARE.insert(place, REMOTE_USER)
    assert messages().keys() == found


def test_w003_no_channel_layer(settings):
    settings.CHANNEL_LAYERS = {}
    assert messages().keys() == {"W003"}


def test_a_site_without_websockets_needs_no_channel_layer(settings):
    settings.CHANNEL_LAYERS = {}
    settings.LIVE_SINGLE_SESSION = {"WEBSOCKET_PATH": None}
    assert messages() == {}


@pytest.mark.parametrize(
    ("path", "urlconf", "found"),
    [
        (None, "tests.operations.no_urls", {"W030"}),
        (None, "tests.urls", set()),
        ("/ws/", "tests.operations.no_urls", set()),
    ],
)
def test_w030_tabs_without_websocket_have_nothing_to_ask(settings, path, urlconf, found):
    settings.LIVE_SINGLE_SESSION = {"WEBSOCKET_PATH": path}
    settings.ROOT_URLCONF = urlconf
    assert messages().keys() == found


def test_w004_in_memory_layer_in_production(settings):
    settings.CHANNEL_LAYERS = IN_MEMORY
    assert messages().keys() == {"W004"}
    settings.DEBUG = True
    assert messages() == {}


@pytest.mark.parametrize("seconds", [1, 5])
def test_w005_idle_websockets_would_time_out(settings, seconds):
    settings.CHANNEL_LAYERS = redis(socket_timeout=seconds)
    assert messages().keys() == {"W005"}
    settings.CHANNEL_LAYERS = redis(socket_timeout=None)
    assert messages() == {}


def test_w008_layer_drops_a_burst(settings):
    settings.CHANNEL_LAYERS = redis(socket_timeout=30, capacity=100)
    assert messages().keys() == {"W008"}


def test_pubsub_layer_passes(settings):
    settings.CHANNEL_LAYERS = PUBSUB
    assert messages() == {}


@pytest.fixture
def database():

    before = {key: connection.settings_dict[key] for key in ("ATOMIC_REQUESTS", "OPTIONS")}
    yield connection.settings_dict
    connection.settings_dict.update(before)


def test_w007_sqlite_locks_too_late_under_atomic_requests(database):
    database["ATOMIC_REQUESTS"] = True
    assert messages().keys() == {"W007"}
    database["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
    assert messages() == {}


def test_w011_a_layer_that_can_not_be_made(settings):
    name = "channels_redis.core.RedisChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": name, "CONFIG": {"hots": []}}}
    [message] = installation.check_layer()
    assert message.id == "live_single_session.W011"
    assert "TypeError" in message.msg


UPDATE = "django.middleware.cache.UpdateCacheMiddleware"


@pytest.mark.parametrize("inside", [False, True])
def test_w012_a_page_cache_inside_of_the_middleware(settings, inside):
    listed = settings.MIDDLEWARE
    settings.MIDDLEWARE = [*listed, UPDATE] if inside else [UPDATE, *listed]
    found = [message.id for message in neighbours.check_page_cache()]
    assert found == (["live_single_session.W012"] if inside else [])


@pytest.mark.parametrize("of_thread", [False, True])
def test_w013_a_tenant_that_is_kept_by_thread(settings, monkeypatch, of_thread):
    assert neighbours.check_tenants() == []
    backend = connections["default"]
    monkeypatch.setattr(type(backend), "set_tenant", print, raising=False)
    if of_thread:
        monkeypatch.setattr(backend, "tenant", None, raising=False)
    found = [message.id for message in neighbours.check_tenants()]
    assert found == (["live_single_session.W013"] if of_thread else [])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"AWAY_SECONDS": 90, "ON_LIMIT": "refuse"}, set()),
        ({"AWAY_SECONDS": 89, "ON_LIMIT": "ask"}, {"E011"}),
        ({"AWAY_SECONDS": 3, "RECHECK_SECONDS": 1, "ON_LIMIT": "ask"}, set()),
        ({"AWAY_SECONDS": 600}, {"W027"}),
        ({"AWAY_SECONDS": 600, "ON_LIMIT": "ask", "WEBSOCKET_PATH": None}, {"W027"}),
        ({"AWAY_SECONDS": "soon", "ON_LIMIT": "ask"}, {"E003"}),
    ],
)
def test_what_away_seconds_needs(values, found, settings):
    settings.LIVE_SINGLE_SESSION = values
    ids = {message.id.partition(".")[2] for message in run_checks()}
    assert ids & {"E003", "E011", "W027"} == found


@pytest.mark.parametrize(
    ("values", "domain", "found"),
    [
        ({"ON_SHARED": "end"}, None, set()),
        ({"ON_SHARED": "end"}, ".example.com", {"E012"}),
        ({"ON_SHARED": "observe"}, ".example.com", set()),
        ({"ON_SHARED": "observe", "WEBSOCKET_PATH": None}, None, {"W028"}),
        ({"ON_SHARED": "often"}, None, {"E003"}),
        ({}, ".example.com", set()),
    ],
)
def test_what_on_shared_needs(values, domain, found, settings):
    settings.LIVE_SINGLE_SESSION = values
    settings.SESSION_COOKIE_DOMAIN = domain
    ids = {message.id.partition(".")[2] for message in run_checks()}
    assert ids & {"E003", "E012", "W028"} == found


@pytest.mark.parametrize(
    ("key", "function", "is_found"),
    [
        ("LIMIT", lambda user, request: 1, True),
        ("LIMIT", lambda user, request, slot, more: 1, True),
        ("LIMIT", lambda *login: 1, False),
        ("SLOT", lambda user, request: "", False),
        ("SLOT", lambda user: "", True),
        ("CLIENT_IP", lambda: None, True),
        ("CONFIRM", lambda request, user, action: None, False),
        ("CONFIRM", lambda request: None, True),
        ("SLOT", "tests.checks.test_checks.one_argument", True),
        ("SLOT", str, False),
    ],
)
def test_e004_a_callable_with_other_arguments(key, function, is_found, settings):
    settings.LIVE_SINGLE_SESSION = {key: function}
    found = [m for m in run_checks() if m.id == "live_single_session.E004"]
    assert bool(found) == is_found


def one_argument(user):
    return ""
