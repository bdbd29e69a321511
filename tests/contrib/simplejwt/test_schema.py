"""The OpenAPI schema of the views, as drf-spectacular makes it."""

import os
import subprocess
import sys

import pytest
import yaml

from tests.contrib.simplejwt.site import SETTINGS
from tests.servers.process import ROOT


@pytest.fixture(scope="module")
def schema():
    """The schema; a warning or what isn't valid OpenAPI would have been an error."""
    command = [sys.executable, "-m", "django", "spectacular", "--validate", "--fail-on-warn"]
    made = subprocess.run(
        [*command, "--urlconf", "tests.contrib.simplejwt.schema_urls"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return yaml.safe_load(made.stdout)


def answers(schema, path):
    return set(schema["paths"][path]["post"]["responses"])


def component(schema, name):
    return schema["components"]["schemas"][name]["properties"]


def test_every_view_is_described(schema):
    assert answers(schema, "/api/token/") == {"200", "401", "409"}
    for path in ("/api/token/refresh/", "/api/token/verify/", "/api/token/logout/"):
        assert answers(schema, path) == {"200", "401"}


def test_the_credentials_and_the_tokens(schema):
    fields = component(schema, "TokenObtainPair")
    asked, answered = {"username", "password", "take_over", "device"}, {"refresh", "access"}
    assert set(fields) == asked | answered
    assert fields["access"]["readOnly"]
    assert fields["password"]["writeOnly"]


def test_what_an_ended_session_is_told(schema):
    assert set(component(schema, "TokenError")) == {"code", "detail", "reason", "login_url"}
    assert set(component(schema, "SessionLimit")) == {
        "code",
        "detail",
        "login_url",
        "sessions",
        "take_over",
    }


def test_a_serializer_of_the_site_is_described(schema):
    assert "company" in component(schema, "Company")
    assert answers(schema, "/api/company/token/") == {"200", "401", "409"}


def test_a_view_that_needs_a_token(schema):
    scheme = schema["components"]["securitySchemes"]["liveSessionJWT"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert {"liveSessionJWT": []} in schema["paths"]["/api/me/"]["get"]["security"]
