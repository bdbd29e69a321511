"""Invariants 2, 4 and 6 with allauth's headless API and its page of a user's sessions."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.compatibility.test_other_packages import Site, allauth_sign_in, submit
from tests.helpers.people import close_code, hear, people
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD, credentials

PATIENCE = 120  # seconds; a test that gets there has failed
API = "/_allauth/app/v1/"
NEW_PASSWORD = "a longer one than before"


class App:
    """A client without cookies: its session's key goes by a header."""

    def __init__(self, site: Daphne) -> None:
        self.http = httpx.AsyncClient(base_url=site.url, timeout=60)
        self.token: str | None = None

    async def post(self, path: str, data: Any, **headers: str) -> httpx.Response:
        self.http.cookies.clear()
        if self.token:
            headers["X-Session-Token"] = self.token
        response = await self.http.post(API + path, json=data, headers=headers)
        meta = response.json().get("meta", {})
        self.token = meta.get("session_token", self.token)
        return response

    async def sign_in(self, **headers: str) -> httpx.Response:
        return await self.post("auth/login", credentials("alice"), **headers)

    async def is_signed_in(self) -> bool:
        headers = {"X-Session-Token": self.token or ""}
        answer = await self.http.get(API + "auth/session", headers=headers)
        return answer.status_code == 200


@pytest.fixture
def site_with(
    tmp_path: Any, start_daphne: Callable[..., Daphne], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Daphne]:
    def start(**policy: object) -> Daphne:
        monkeypatch.setenv("LIVE_SINGLE_SESSION", json.dumps(policy))
        return Site("allauth_apps", tmp_path, start_daphne).start()

    return start


@pytest.mark.drives(
    "apps of the headless API: a sign-in, a new password, and a newer sign-in in a browser",
    "nothing",
    "django-allauth",
)
async def test_inv2_app_is_signed_in_until_somebody_signs_in_elsewhere(site_with) -> None:
    site = site_with()
    app = App(site)
    async with asyncio.timeout(PATIENCE), app.http, people(site, "alice") as (browser,):
        assert (await app.sign_in()).status_code == 200
        assert await app.is_signed_in()
        new = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert (await app.post("account/password/change", new)).status_code == 200
        assert await app.is_signed_in()
        await submit(browser, "/auth/login/", login="alice", password=NEW_PASSWORD)
        assert await browser.name_seen_by_site() == "alice"
        assert not await app.is_signed_in()


@pytest.mark.drives(
    '`"ON_LIMIT": "ask"`: an app of the headless API asks its user, and takes over',
    "the header `Session-Take-Over` in the app, see [policies](policies.md#ask)",
    "django-allauth",
)
async def test_inv1_app_without_cookies_asks_and_takes_over(site_with) -> None:
    site = site_with(ON_LIMIT="ask")
    app = App(site)
    async with asyncio.timeout(PATIENCE), app.http, people(site, "alice") as (browser,):
        await allauth_sign_in(browser)
        asked = await app.sign_in()
        assert (asked.status_code, asked.json()["code"]) == (409, "session_limit")
        assert not await app.is_signed_in()
        assert await browser.name_seen_by_site() == "alice"
        choice = {"Session-Take-Over": str(asked.json()["take_over"])}
        async with browser.tab() as tab:
            assert (await app.sign_in(**choice)).status_code == 200
            assert (await hear(tab))["reason"] == "superseded"
        assert await app.is_signed_in()
        assert await browser.name_seen_by_site() is None

        # It was good for that one, and says what would be now.
        other = App(site)
        async with other.http:
            again = await other.sign_in(**choice)
            assert again.status_code == 409
            assert again.json()["take_over"] != asked.json()["take_over"]
            assert await app.is_signed_in()


@pytest.mark.drives(
    "a session that is ended on the page of `allauth.usersessions`: its tab, socket and stream",
    "`LIMIT`: more than one session",
    "django-allauth",
)
async def test_inv4_session_that_allauth_has_ended_is_told(site_with) -> None:
    site = site_with(LIMIT=None, RECHECK_SECONDS=1)
    async with asyncio.timeout(PATIENCE), people(site, "alice", "alice") as (old, new):
        await allauth_sign_in(old)
        await allauth_sign_in(new)
        async with (
            old.tab() as tab,
            old.socket("/ws/chat/") as chat,
            old.http.stream("GET", "/stream/") as stream,
        ):
            ticks = stream.aiter_lines()
            assert await anext(ticks)
            await submit(new, "/auth/sessions/")
            assert (await hear(tab))["reason"] == "removed"
            assert await close_code(chat) == 4001
            async for _tick in ticks:
                pass  # until it ends
        assert [await old.name_seen_by_site(), await new.name_seen_by_site()] == [None, "alice"]
