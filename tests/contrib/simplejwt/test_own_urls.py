"""simplejwt's own views, djoser and dj-rest-auth are held to the rule by two settings."""

import subprocess
import sys

import pytest

from tests.contrib.simplejwt.apps import App
from tests.contrib.simplejwt.test_daphne import Http, assert_ended
from tests.servers.process import ROOT
from tests.site.people import credentials

SETTINGS = "tests.contrib.simplejwt.own_urls"

OBTAIN_AND_REFRESH = {
    "simplejwt": ("/simplejwt/token/", "/simplejwt/refresh/"),
    "djoser": ("/djoser/jwt/create/", "/djoser/jwt/refresh/"),
    "dj-rest-auth": ("/auth/login/", "/auth/token/refresh/"),
}


class OtherApp(App):
    """An app that uses one of these packages' addresses."""

    def __init__(self, site, package):
        super().__init__(Http(site))
        self._obtain, self._refresh = OBTAIN_AND_REFRESH[package]

    def obtain(self, name="alice", **extra):
        return self._keep(self.post(self._obtain, {**credentials(name), **extra}))

    def refresh(self):
        return self._keep(self.post(self._refresh, {"refresh": self.refresh_token}))

    def me(self, path="/me/"):
        return super().me(path)


@pytest.fixture
def start(start_api, site_database):
    def start(**env):
        own = {"DJANGO_SETTINGS_MODULE": SETTINGS, "DATABASE_URL": site_database("sqlite")}
        return start_api(**own, **env)

    return start


@pytest.mark.parametrize("package", OBTAIN_AND_REFRESH)
def test_inv2_a_second_sign_in_ends_the_first(package, start):
    site = start(SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True})
    first, second, bobs = [OtherApp(site, package) for _ in range(3)]
    assert first.obtain().status_code == 200
    assert bobs.obtain("bob").status_code == 200
    assert first.me().json() == {"user": "alice"}
    assert first.refresh().status_code == 200
    assert first.me().json() == {"user": "alice"}

    assert second.obtain().status_code == 200

    assert_ended(first.me(), "superseded")
    assert_ended(first.refresh(), "superseded")
    assert second.me().json() == {"user": "alice"}
    assert bobs.me().json() == {"user": "bob"}


@pytest.mark.parametrize("package", OBTAIN_AND_REFRESH)
def test_a_sign_in_over_the_limit_is_refused_and_no_error(package, start):
    site = start(LIVE_SINGLE_SESSION={"ON_LIMIT": "ask"})
    first, second = OtherApp(site, package), OtherApp(site, package)
    first.obtain()

    answer = second.obtain()

    assert answer.status_code == 409
    assert answer.json()["code"] == "session_limit"
    assert isinstance(answer.json()["take_over"], int)
    assert first.me().status_code == 200


def test_dj_rest_auths_cookies_are_held_to_it_too(start):
    site = start()
    first, second = OtherApp(site, "dj-rest-auth"), OtherApp(site, "dj-rest-auth")
    first.obtain()
    cookie = {"Cookie": f"access={first.access_token}"}
    assert first.client.get("/me/", headers=cookie).json() == {"user": "alice"}

    second.obtain()

    assert_ended(first.client.get("/me/", headers=cookie), "superseded")


@pytest.mark.parametrize(
    ("hindered", "found"),
    [
        ({}, set()),
        ({"HINDERED": "yes"}, {"W101", "W102", "W103", "W104"}),
    ],
)
def test_checks_name_the_views_whose_tokens_belong_to_no_session(hindered, found, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "django", "check"],
        cwd=ROOT,
        env={
            "PATH": "",
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONPATH": str(ROOT),
            **hindered,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stderr + done.stdout
    assert {f"W10{n}" for n in range(1, 10) if f"live_single_session.W10{n}" in said} == found
