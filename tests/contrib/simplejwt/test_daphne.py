"""Apps and their websockets against a real server."""

import asyncio
import json
import sqlite3
import uuid
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.contrib.simplejwt.apps import App
from tests.contrib.simplejwt.site import run
from tests.servers.waiting import PATIENCE
from tests.site.people import credentials

SUBPROTOCOL = "live-single-session.bearer"
LIVE_PATH = "/ws/live-single-session/"
UNVERIFIED = {"verify_signature": False}


class Http:
    """`App`'s client, over the wire."""

    def __init__(self, site):
        self.site = site

    def get(self, path, headers):
        return httpx.get(self.site.url + path, headers=headers, timeout=4 * PATIENCE)

    def post(self, path, data, **options):
        headers = options.get("headers")
        return httpx.post(
            self.site.url + path, json=data, headers=headers, timeout=4 * PATIENCE
        )


@asynccontextmanager
async def socket_of(site, *offered, path=LIVE_PATH, **headers):
    async with connect(
        site.ws_url + path,
        origin=site.url,
        subprotocols=list(offered) or None,
        additional_headers=headers,
    ) as socket:
        yield socket


async def hear(socket):
    return json.loads(await socket.recv())


async def close_code(socket):
    """The code that the server closes with, having nothing more to say."""
    with pytest.raises(ConnectionClosed):
        await socket.recv()
    return socket.close_code


def assert_ended(response, reason):
    assert response.status_code == 401
    assert response.json()["code"] == "session_ended"
    assert response.json()["reason"] == reason


@pytest.fixture
def site(start_api, site_database):
    return start_api(DATABASE_URL=site_database("sqlite"))


@pytest.fixture
def new_app(site):
    return lambda: App(Http(site))


async def test_inv4_a_second_app_ends_the_first_at_once(site, new_app):
    first, second = new_app(), new_app()
    first.obtain()
    async with (
        socket_of(site, SUBPROTOCOL, first.access_token) as told,
        socket_of(site, SUBPROTOCOL, first.access_token, path="/ws/chat/") as chat,
    ):
        assert told.subprotocol == chat.subprotocol == SUBPROTOCOL
        sid = first.claims["sid"]
        assert await hear(told) == {"type": "session.ready", "session": sid}
        await chat.send("hello")
        assert await chat.recv() == "hello"

        assert (await asyncio.to_thread(second.obtain)).status_code == 200

        frame = await hear(told)
        assert frame["type"] == "session.ended"
        assert frame["session"] == sid
        assert frame["reason"] == "superseded"
        assert frame["signed_in"] is False
        assert await close_code(told) == 4001
        assert await close_code(chat) == 4001
    assert_ended(first.me(), "superseded")
    assert_ended(first.refresh(), "superseded")
    assert second.me().json() == {"user": "alice"}
    assert second.refresh().status_code == 200
    assert second.me().status_code == 200
    for token in (first.access_token, first.refresh_token, second.access_token):
        assert token not in site.log
        assert token.rsplit(".")[-1] not in site.log


async def test_browser_and_app_end_each_other(site, new_app):
    app = new_app()
    app.obtain()
    async with httpx.AsyncClient(base_url=site.url) as browser:
        async with socket_of(site, SUBPROTOCOL, app.access_token) as told:
            await hear(told)
            await browser.post("/async/api/login/", json=credentials("alice"))
            assert (await hear(told))["reason"] == "superseded"
            assert await close_code(told) == 4001
        assert_ended(app.me(), "superseded")
        cookie = f"sessionid={browser.cookies['sessionid']}"
        async with socket_of(site, Cookie=cookie) as tab:
            assert (await hear(tab))["type"] == "session.ready"
            await asyncio.to_thread(app.obtain)
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
        # A browser whose cookie is dead may still connect by token.
        async with socket_of(site, SUBPROTOCOL, app.access_token, Cookie=cookie) as told:
            assert (await hear(told))["session"] == app.claims["sid"]
        async with socket_of(
            site, SUBPROTOCOL, app.access_token, path="/ws/chat/", Cookie=cookie
        ) as chat:
            await chat.send("hello")
            assert await chat.recv() == "hello"


async def test_a_socket_with_the_token_of_an_ended_session_is_told_why(site, new_app):
    app = new_app()
    app.obtain()
    app.log_out()
    async with socket_of(site, SUBPROTOCOL, app.access_token) as told:
        frame = await hear(told)
        assert (frame["type"], frame["reason"]) == ("session.ended", "logged_out")
        assert await close_code(told) == 4001
    async with socket_of(site, SUBPROTOCOL, app.access_token, path="/ws/chat/") as chat:
        assert chat.subprotocol == SUBPROTOCOL
        assert await close_code(chat) == 4001


async def test_a_socket_with_a_bad_token_is_nobodys_whatever_its_cookie_says(site, new_app):
    async with httpx.AsyncClient(base_url=site.url) as browser:
        await browser.post("/async/api/login/", json=credentials("alice"))
        cookie = f"sessionid={browser.cookies['sessionid']}"
    for offered in ([SUBPROTOCOL, "no.such.token"], [SUBPROTOCOL], [SUBPROTOCOL, "x" * 9_000]):
        async with socket_of(site, *offered, Cookie=cookie) as socket:
            assert socket.subprotocol == SUBPROTOCOL
            assert await close_code(socket) == 4003
    async with socket_of(site, SUBPROTOCOL, "x", Cookie="theme=dark; " + cookie) as socket:
        assert await close_code(socket) == 4003


async def test_a_token_in_the_query_string_counts_for_nothing(site, new_app):
    app = new_app()
    app.obtain()
    async with socket_of(site, path=f"{LIVE_PATH}?token={app.access_token}") as socket:
        assert await close_code(socket) == 4003


async def test_a_token_in_the_query_string_counts_where_it_is_switched_on(
    start_api, site_database
):
    site = start_api(
        DATABASE_URL=site_database("sqlite"),
        LIVE_SINGLE_SESSION_JWT={"WEBSOCKET_QUERY_PARAMETER": "token"},
    )
    app = App(Http(site))
    app.obtain()
    async with socket_of(site, path=f"{LIVE_PATH}?token={app.access_token}&x=1") as socket:
        assert socket.subprotocol is None
        assert (await hear(socket))["session"] == app.claims["sid"]
    assert app.access_token not in site.log


async def test_a_stream_ends_with_its_session(site, new_app):
    app, other = new_app(), new_app()
    app.obtain()
    async with (
        httpx.AsyncClient(base_url=site.url) as client,
        client.stream("GET", "/api/stream/", headers=app.headers) as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == "data: tick"
        await asyncio.to_thread(other.obtain)
        async for _ in lines:
            pass


def outstanding(database_url):
    """The tokens that simplejwt has recorded, decoded."""
    with closing(sqlite3.connect(urlsplit(database_url).path)) as database:
        rows = database.execute("SELECT token FROM token_blacklist_outstandingtoken")
        return [jwt.decode(row[0], options=UNVERIFIED) for row in rows]


@pytest.mark.parametrize("blacklisting", [False, True])
def test_rotation(blacklisting, start_api, site_database):
    url = site_database("sqlite")
    site = start_api(
        DATABASE_URL=url,
        SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": blacklisting},
    )
    first, second = App(Http(site)), App(Http(site))
    first.obtain()
    sid, old = first.claims["sid"], first.refresh_token
    for _ in range(2):
        assert first.refresh().status_code == 200
        assert first.claims["sid"] == sid
        assert first.me().status_code == 200
    assert {token["sid"] for token in outstanding(url)} == {sid}
    replayed = first.post("/api/token/refresh/", {"refresh": old})
    assert replayed.status_code == (401 if blacklisting else 200)
    second.obtain()
    assert_ended(first.me(), "superseded")
    assert_ended(first.refresh(), "superseded")
    assert second.log_out().status_code == 200
    assert second.refresh().status_code == 401
    assert_ended(second.me(), "logged_out")


def test_the_ways_of_django_rest_framework(site, new_app):
    app = new_app()
    with httpx.Client(base_url=site.url, headers={"Accept": "application/json"}) as browser:
        # The browsable API's login is Django's: a session like any other.
        page = browser.get("/api/browse/login/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        csrf = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post("/api/browse/login/", data=credentials("alice") | csrf)
        assert browser.get("/api/session/me/").json() == {"user": "alice"}
        assert browser.get("/api/either/me/").json() == {"user": "alice"}
        assert browser.get("/api/permitted/me/").json() == {"user": "alice"}

        # Its own tokens are no sessions: they end nobody, and nobody ends them.
        granted = httpx.post(f"{site.url}/api/authtoken/", json=credentials("alice"))
        key = granted.json()["token"]
        headers = {"Authorization": f"Token {key}"}
        assert browser.get("/api/session/me/").json() == {"user": "alice"}
        assert httpx.get(f"{site.url}/api/authtoken/me/", headers=headers).status_code == 200

        app.obtain()
        ended = browser.get("/api/session/me/")
        assert_ended(ended, "superseded")
        assert app.me("/api/either/me/").status_code == 200
        assert httpx.get(f"{site.url}/api/authtoken/me/", headers=headers).status_code == 200

    basic = (credentials("alice")["username"], credentials("alice")["password"])
    assert httpx.get(f"{site.url}/api/permitted/me/", auth=basic).status_code == 403


async def test_users_with_uuids_for_primary_keys(start_api, tmp_path):
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.contrib.simplejwt.uuid_settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3",
    }
    run("tests.site.people", env=env)
    site = start_api(**env)
    first, second = App(Http(site)), App(Http(site))
    first.obtain()
    assert uuid.UUID(jwt.decode(first.access_token, options=UNVERIFIED)["user_id"])
    async with socket_of(site, SUBPROTOCOL, first.access_token) as told:
        await hear(told)
        await asyncio.to_thread(second.obtain)
        assert (await hear(told))["reason"] == "superseded"
        assert await close_code(told) == 4001
    assert_ended(first.me(), "superseded")
    assert_ended(first.refresh(), "superseded")
    assert second.me().json() == {"user": "alice"}
    assert second.refresh().status_code == 200


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "sqlite"])
def test_inv1_of_eight_at_once_one_is_left(kind, start_api, site_database):
    site = start_api(DATABASE_URL=site_database(kind))

    async def obtain(client):
        answer = await client.post("/api/token/", json=credentials("alice"))
        assert answer.status_code == 200, answer.text
        return answer.json()["access"]

    async def is_live(client, token):
        answer = await client.get("/api/me/", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200:
            assert_ended(answer, "superseded")
        return answer.status_code == 200

    async def rounds():
        async with httpx.AsyncClient(base_url=site.url, timeout=4 * PATIENCE) as client:
            for _ in range(20):
                tokens = await asyncio.gather(*(obtain(client) for _ in range(8)))
                live = await asyncio.gather(*(is_live(client, token) for token in tokens))
                assert sum(live) == 1

    asyncio.run(rounds())
