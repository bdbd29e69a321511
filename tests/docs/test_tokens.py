"""What docs/tokens.md shows works as it stands there."""

import json

import pytest
from rest_framework.test import APIClient

from live_single_session.contrib.simplejwt.conf import DEFAULTS
from live_single_session.contrib.simplejwt.urls import urlpatterns
from tests.contrib.simplejwt.apps import App
from tests.docs.pages import BLOCKS, DOCS, block_with
from tests.helpers.browsers import Browser

PAGE = (DOCS / "tokens.md").read_text()

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _api(settings):
    settings.ROOT_URLCONF = "tests.contrib.simplejwt.urls"


@pytest.fixture
def new_app():
    return lambda: App(APIClient())


def shown(code):
    bodies = [
        json.loads(block.code)
        for block in BLOCKS
        if (block.page, block.language) == ("tokens.md", "json")
    ]
    (found,) = [body for body in bodies if body["code"] == code]
    return found


def test_the_answers_are_as_shown(alice, new_app, settings):
    first, second = new_app(), new_app()
    first.obtain()
    second.obtain()
    assert first.me().json().keys() == shown("session_ended").keys()
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    asked, example = first.obtain().json(), shown("session_limit")
    assert asked.keys() == example.keys()
    assert asked["sessions"][0].keys() == example["sessions"][0].keys()


def test_the_recipe_for_slots(alice, new_app, settings):
    recipe = block_with("def slot", "tokens.md")
    names = {}
    exec(recipe.partition("# settings.py")[0], names)
    settings.LIVE_SINGLE_SESSION = {"SLOT": names["slot"]}
    browser, app = Browser.signed_in(), new_app()
    app.obtain()
    assert browser.get("/whoami/").json() == {"user": "alice"}
    assert app.me().status_code == 200


def test_every_view_and_every_setting_is_described():
    for pattern in urlpatterns:
        assert f"| `{pattern.pattern}` |" in PAGE
    for key in DEFAULTS:
        assert f"| `{key}` |" in PAGE
