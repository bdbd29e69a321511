"""What docs/tokens.md shows works as it stands there."""

import json
import re

import pytest

from live_single_session.contrib.simplejwt.conf import DEFAULTS
from live_single_session.contrib.simplejwt.urls import urlpatterns
from tests.contrib.simplejwt.test_one_session import sign_in_on_website
from tests.servers.process import ROOT

PAGE = (ROOT / "docs" / "tokens.md").read_text()

pytestmark = pytest.mark.django_db(transaction=True)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def shown(code):
    (found,) = [body for body in map(json.loads, blocks("json")) if body["code"] == code]
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
    (recipe,) = [block for block in blocks("python") if "def slot" in block]
    names = {}
    exec(recipe.partition("# settings.py")[0], names)
    settings.LIVE_SINGLE_SESSION = {"SLOT": names["slot"]}
    browser, app = sign_in_on_website(), new_app()
    app.obtain()
    assert browser.get("/whoami/").json() == {"user": "alice"}
    assert app.me().status_code == 200


def test_every_view_and_every_setting_is_described():
    for pattern in urlpatterns:
        assert f"| `{pattern.pattern}` |" in PAGE
    for key in DEFAULTS:
        assert f"| `{key}` |" in PAGE
