"""The JSON endpoints answer as their OpenAPI schemas say, whatever is sent.

`make fuzz` runs it for much longer, as it does with test_fuzz.py.
"""

from http.cookies import SimpleCookie
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import given
from hypothesis.strategies import booleans, sampled_from
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from tests.fuzz.examples import fuzz
from tests.helpers.browsers import Browser
from tests.servers.process import ROOT
from tests.site.people import credentials, sign_up

TOKENS = [not_a_server_error, response_schema_conformance]
SESSIONS = [
    *TOKENS,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
]
# What Django REST framework answers to what is no request; schemas don't list it.
NO_REQUEST = {400, 415}
DESCRIBED = {200, 401, 409}
CSRF = "c" * 32

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.contrib.simplejwt.urls"),
    pytest.mark.slow,
]


@pytest.fixture(autouse=True)
def _people(db: None) -> None:
    sign_up()


@pytest.mark.parametrize("name", ["", "refresh/", "verify/", "logout/"])
def test_tokens(name: str, settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = get_wsgi_application()

    @given(schema[f"/api/token/{name}"]["POST"].as_strategy(), booleans())
    @fuzz(10)
    def answers_as_described(case: schemathesis.Case, signs_in: bool) -> None:
        if signs_in and isinstance(case.body, dict) and "username" in case.body:
            case.body = case.body | credentials("alice")
        answer = case.call_and_validate(checks=TOKENS)
        assert answer.status_code in DESCRIBED | NO_REQUEST, answer.text

    answers_as_described()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/status/"),
        ("POST", "/active/"),
        ("GET", "/"),
        ("POST", "/{session}/end/"),
        ("POST", "/{session}/name/"),
        ("POST", "/end-others/"),
        ("GET", "/choose/"),
        ("POST", "/choose/"),
    ],
)
def test_sessions(method: str, path: str, settings: Any) -> None:
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    schema = schemathesis.openapi.from_path(ROOT / "docs/openapi.yaml")
    schema.app = get_wsgi_application()
    seen: set[int] = set()

    @given(
        schema[path][method].as_strategy(),
        sampled_from(["own", "other", "any"]),
        sampled_from([True, True, False]),
    )
    @fuzz(10, cost=10)
    def answers_as_described(case: schemathesis.Case, whose: str, knows_token: bool) -> None:
        for arrive in WHO:
            cookies, ids = arrive()
            case.cookies = {name: morsel.value for name, morsel in cookies.items()}
            case.headers = {"Accept": "application/json"}
            if knows_token:
                case.cookies["csrftoken"] = case.headers["X-CSRFToken"] = CSRF
            if "session" in case.path_parameters and whose in ids:
                case.path_parameters["session"] = ids[whose]
            seen.add(case.call_and_validate(checks=SESSIONS).status_code)

    answers_as_described()
    assert {200, 401} <= seen  # it was asked by those who may, and by those who may not


# Who asks, with which cookies, and which sessions there are

Asking = tuple[SimpleCookie, dict[str, str]]


def nobody() -> Asking:
    return SimpleCookie(), {}


def live() -> Asking:
    forget()
    sign_in("bob")
    client = sign_in("alice")
    return client.cookies, {"own": id_of("alice"), "other": id_of("bob")}


def ended() -> Asking:
    forget()
    client = sign_in("alice")
    registry.end(UserSession.objects.get(), EndReason.REVOKED)
    return client.cookies, {}


def asked() -> Asking:
    forget()
    sign_in("alice")
    client = Browser(headers={"Accept": "application/json"})
    assert client.try_to_sign_in("alice").status_code == 409
    return client.cookies, {}


WHO = [nobody, live, ended, asked]


def forget() -> None:
    UserSession.objects.all().delete()


def sign_in(name: str) -> Browser:
    return Browser.signed_in(name, headers={"Accept": "application/json"})


def id_of(name: str) -> str:
    return str(UserSession.objects.live().get(user__username=name).pk)
