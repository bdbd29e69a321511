"""The room: what is found in it, its settings, its checks, and who knows of it."""

import os
import re
import subprocess
import sys
import textwrap

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from live_single_session.contrib import simplejwt
from live_single_session.contrib.simplejwt.checks import check_settings
from live_single_session.contrib.simplejwt.conf import conf
from tests.servers.process import ROOT


@pytest.mark.parametrize("name", simplejwt.__all__)
def test_names_of_the_room(name):
    assert import_string(f"live_single_session.contrib.simplejwt.{name}").__name__ == name
    assert name in dir(simplejwt)


def test_other_names_are_errors():
    with pytest.raises(AttributeError, match="TokenObtain"):
        simplejwt.TokenObtain  # noqa: B018


def test_nobody_else_knows_of_the_room():
    package = ROOT / "live_single_session"
    others = [path for path in package.rglob("*.py") if package / "contrib" not in path.parents]
    assert others
    wanted = r"^ *(from|import) (rest_framework|rest_framework_simplejwt|jwt|.*simplejwt)\b"
    known_by = [path for path in others if re.search(wanted, path.read_text(), re.MULTILINE)]
    assert known_by == []


def test_the_package_works_without_what_the_room_needs():
    script = """
        import sys
        for name in ("rest_framework", "rest_framework_simplejwt", "jwt", "drf_spectacular"):
            sys.modules[name] = None
        import django
        django.setup()
        from django.core.management import call_command
        call_command("check")
    """
    run_python(script, "tests.settings")


def test_the_room_works_without_drf_spectacular():
    script = """
        import sys
        sys.modules["drf_spectacular"] = None
        from django.conf import settings
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "drf_spectacular"
        ]
        settings.REST_FRAMEWORK = {}
        import django
        django.setup()
        from django.core.management import call_command
        call_command("check")
        from live_single_session.contrib.simplejwt import TokenObtainPairView
    """
    run_python(script, "tests.contrib.simplejwt.settings")


def run_python(script, settings):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Settings


def problems(settings, value):
    settings.LIVE_SINGLE_SESSION_JWT = value
    return [(message.id, message.hint) for message in check_settings()]


def test_settings_that_are_fine(settings):
    assert problems(settings, {}) == []
    fine = {"TOKENS_WITHOUT_SID": "accept", "WEBSOCKET_QUERY_PARAMETER": "token"}
    assert problems(settings, fine) == []
    del settings.LIVE_SINGLE_SESSION_JWT
    assert check_settings() == []
    assert conf.accepts_tokens_without_sid is False
    assert conf.websocket_query_parameter is None


def test_settings_that_are_not(settings):
    [(wrong, _)] = problems(settings, ["TOKENS_WITHOUT_SID"])
    assert wrong == "live_single_session.E101"
    [(unknown, hint)] = problems(settings, {"TOKEN_WITHOUT_SID": "accept"})
    assert unknown == "live_single_session.E102"
    assert "TOKENS_WITHOUT_SID" in hint
    for value in ({"TOKENS_WITHOUT_SID": True}, {"WEBSOCKET_QUERY_PARAMETER": True}):
        [(bad, _)] = problems(settings, value)
        assert bad == "live_single_session.E103"


def test_a_setting_that_is_wrong_lets_nobody_in(settings):
    settings.LIVE_SINGLE_SESSION_JWT = {"TOKENS_WITHOUT_SID": "Accept"}
    with pytest.raises(ImproperlyConfigured):
        conf.accepts_tokens_without_sid  # noqa: B018
