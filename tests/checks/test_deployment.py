"""What ``check --deploy`` adds; the check command itself runs it."""

import io
import os
import subprocess
import sys
from types import ModuleType

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, connections
from django.urls import path

from live_single_session.checks import deployment
from live_single_session.models import UserSession
from live_single_session.site_urls import not_you_url
from tests import urls
from tests.servers.process import ROOT

pytestmark = pytest.mark.django_db

SOUND = {"NOT_YOU_URL": None}  # the test site has no page on which passwords are reset


@pytest.fixture(autouse=True)
def _sound_site(settings):
    settings.LIVE_SINGLE_SESSION = SOUND


def warnings():
    found = run_checks(include_deployment_checks=True)
    return {m.id[-4:] for m in found if m.id.startswith("live_single_session.W02")}


def test_a_sound_site_passes():
    assert warnings() == set()


def test_they_are_bound_to_deploy_only(settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "observe"}
    err = io.StringIO()

    call_command("check", deploy=True, stderr=err)

    assert "live_single_session.W024" in err.getvalue()
    assert not [m for m in run_checks() if m.id == "live_single_session.W024"]


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_sessions_in_a_cache_of_each_process(settings, engine):
    settings.SESSION_ENGINE = f"live_single_session.backends.{engine}"
    assert warnings() == {"W020"}

    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1",
        }
    }
    assert warnings() == set()


def test_a_proxy_without_a_way_to_the_address_of_users(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert warnings() == {"W021"}

    settings.LIVE_SINGLE_SESSION = {**SOUND, "RECORD_CLIENT": False}
    assert warnings() == set()


def test_urls_that_are_not_included(settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    assert warnings() == {"W022"}


@pytest.mark.parametrize("given", [{}, {"NOT_YOU_URL": "get_help"}])
def test_not_you_url_that_leads_nowhere(settings, given):
    settings.LIVE_SINGLE_SESSION = given
    assert warnings() == {"W023"}


def view(request):
    raise NotImplementedError


@pytest.mark.parametrize("name", ["password_reset", "account_reset_password"])
def test_not_you_url_is_that_of_django_or_allauth(settings, monkeypatch, name):
    site = ModuleType("a_site_that_resets_passwords")
    site.urlpatterns = [*urls.urlpatterns, path("reset/", view, name=name)]
    monkeypatch.setitem(sys.modules, site.__name__, site)
    settings.LIVE_SINGLE_SESSION = {}
    settings.ROOT_URLCONF = site.__name__

    assert not_you_url() == "/reset/"
    assert warnings() == set()


def test_a_site_that_only_observes(settings):
    settings.LIVE_SINGLE_SESSION = {**SOUND, "ON_LIMIT": "observe"}
    assert warnings() == {"W024"}


def ids_of_tables():
    return [message.id for message in deployment.check_tables()]


@pytest.fixture
def _no_table(transactional_db):
    with connection.schema_editor() as editor:
        editor.delete_model(UserSession)
    yield
    with connection.schema_editor() as editor:
        editor.create_model(UserSession)


@pytest.mark.usefixtures("_no_table")
def test_tables_before_migrate_are_missed():
    assert warnings() == {"W025"}


def test_tables_cost_one_query_of_deploy_and_none_of_check(django_assert_num_queries):
    with django_assert_num_queries(1):
        run_checks(include_deployment_checks=True)
    with django_assert_num_queries(0):
        run_checks()


@pytest.mark.usefixtures("_no_table")
def test_tables_of_tenants_are_each_tenants_own(monkeypatch):
    monkeypatch.setattr(type(connections["default"]), "set_tenant", print, raising=False)
    assert ids_of_tables() == []


def test_a_build_without_a_database_is_no_place_to_look():
    """The whole command, where nothing listens."""
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
            "DJANGO_SETTINGS_MODULE": "tests.settings",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "live_single_session.W025" not in done.stdout


@pytest.mark.parametrize(
    ("confirm", "cache", "found"),
    [
        (None, "locmem.LocMemCache", set()),
        ("live_single_session.confirm.password", "locmem.LocMemCache", {"W026"}),
        ("live_single_session.confirm.password", "dummy.DummyCache", {"W026"}),
        ("live_single_session.confirm.password", "redis.RedisCache", set()),
    ],
)
def test_guesses_are_counted_by_each_process(confirm, cache, found, settings):
    settings.LIVE_SINGLE_SESSION = {**SOUND, "CONFIRM": confirm}
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{cache}"}}
    assert warnings() == found
