"""Tokens that simplejwt issued before the installation: docs/migration.md, walked."""

import pytest

from tests.contrib.simplejwt.apps import App
from tests.contrib.simplejwt.test_daphne import Http, assert_ended
from tests.operations.pages import block
from tests.site.people import credentials

HEADING = "From simplejwt: tokens without `sid`"


@pytest.fixture
def old_app(start_api, site_database):
    """An app that signed in at a site whose views were simplejwt's; and the site's database."""
    url = site_database("sqlite")
    before = start_api(
        DJANGO_SETTINGS_MODULE="tests.contrib.simplejwt.own_urls",
        HINDERED="yes",
        DATABASE_URL=url,
    )
    app = App(Http(before))
    tokens = before_tokens(app)
    app.refresh_token, app.access_token = tokens["refresh"], tokens["access"]
    assert app.me("/me/").status_code == 200
    return app, url


def before_tokens(app):
    answer = app.post("/simplejwt/token/", credentials("alice"))
    assert answer.status_code == 200
    return answer.json()


def test_every_app_signs_in_again(old_app, start_api):
    app, url = old_app
    app.client = Http(start_api(DATABASE_URL=url))
    for answer in (app.me(), app.refresh()):
        assert answer.status_code == 401
        assert answer.json()["code"] == "token_not_valid"
    assert app.obtain().status_code == 200
    assert app.me().json() == {"user": "alice"}


def test_apps_stay_signed_in_until_their_refresh_token_expires(old_app, start_api):
    app, url = old_app
    names = {}
    exec(block("migration.md", HEADING, "TOKENS_WITHOUT_SID"), names)
    app.client = Http(
        start_api(DATABASE_URL=url, **{k: names[k] for k in names if k.isupper()})
    )
    before = app.refresh_token
    assert app.me().json() == {"user": "alice"}
    assert app.refresh().status_code == 200
    assert app.refresh_token == before
    assert app.me().json() == {"user": "alice"}

    other = App(app.client)
    other.obtain()
    assert app.me().json() == {"user": "alice"}  # no login ends it
    third = App(app.client)
    third.obtain()
    assert_ended(other.me(), "superseded")
