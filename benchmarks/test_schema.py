"""The JSON endpoints answer as their OpenAPI schema says, whatever is sent: `make fuzz`."""

import os
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.site.people import credentials, sign_up

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
CHECKS = [not_a_server_error, response_schema_conformance]
# What Django REST framework answers to what is no request; schemas don't list it.
NO_REQUEST = {400, 415}
DESCRIBED = {200, 401, 409}

fuzz = hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("name", ["", "refresh/", "verify/", "logout/"])
def test_tokens(name: str, db: None, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.tokens.urls"
    sign_up()
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = get_wsgi_application()

    @given(schema[f"/api/token/{name}"]["POST"].as_strategy(), booleans())
    @fuzz
    def answers_as_described(case: schemathesis.Case, signs_in: bool) -> None:
        if signs_in and isinstance(case.body, dict) and "username" in case.body:
            case.body = case.body | credentials("alice")
        answer = case.call_and_validate(checks=CHECKS)
        assert answer.status_code in DESCRIBED | NO_REQUEST, answer.text

    answers_as_described()
