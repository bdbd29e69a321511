"""The suite's own ground: servers that start, stop, hang and come back as told."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import datetime

import httpx
import MySQLdb
import psycopg
import pytest
import redis as redis_client
from channels.routing import ProtocolTypeRouter
from django.db import connection
from websockets.asyncio.client import connect

from tests.servers import packages
from tests.servers.process import ROOT, ServerFailedError
from tests.servers.waiting import await_until, wait_until
from tests.site.people import credentials


async def trivial_http(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": os.environ["GREETING"].encode()})


trivial_application = ProtocolTypeRouter({"http": trivial_http})


def test_redis_survives_kill_pause_and_restart_on_the_same_port(redis):
    client = redis_client.Redis.from_url(redis.url, socket_timeout=2)
    assert client.ping()

    redis.pause()
    with pytest.raises(redis_client.TimeoutError):
        client.ping()
    redis.resume()
    assert client.ping()

    client.set("key", "value")
    redis.kill()
    with pytest.raises(redis_client.ConnectionError):
        client.ping()
    redis.restart()
    assert client.get("key") is None
    client.close()


def test_redis_is_running_and_empty_for_the_next_test(redis, redis_server):
    with redis_client.Redis.from_url(redis.url) as client:
        client.set("key", "value")
        redis_server.kill()
        redis_server.renew()
        assert client.dbsize() == 0


def test_postgres_copies_and_drops_databases(postgres_server):
    postgres_server.create_database("one")
    with psycopg.connect(postgres_server.url("one")) as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.execute("INSERT INTO t VALUES (7)")
    postgres_server.copy_database("one", "two")
    with psycopg.connect(postgres_server.url("two")) as connection:
        assert connection.execute("SELECT n FROM t").fetchall() == [(7,)]
    for name in ("one", "two"):
        postgres_server.drop_database(name)


def test_mariadb_copies_and_drops_databases(mariadb_server):
    mariadb_server.create_database("one")
    login = {"host": "127.0.0.1", "port": mariadb_server.port, "user": "root"}
    with MySQLdb.connect(**login, database="one") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE t (n int)")
        cursor.execute("INSERT INTO t VALUES (7)")
        connection.commit()
    mariadb_server.copy_database("one", "two")
    with MySQLdb.connect(**login, database="two") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT n FROM t")
        assert cursor.fetchall() == ((7,),)
    for name in ("one", "two"):
        mariadb_server.drop_database(name)


def test_daphne_serves_and_comes_back_on_the_same_port(start_daphne):
    daphne = start_daphne("tests.servers.test_servers:trivial_application", GREETING="hello")
    address = daphne.url
    assert httpx.get(address).text == "hello"

    daphne.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    daphne.restart()
    assert httpx.get(address).text == "hello"


def test_daphne_that_does_not_start_says_why(start_daphne):
    with pytest.raises(ServerFailedError, match="No module named"):
        start_daphne("tests.nowhere:application")


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_site_signs_in_and_out_on(kind, start_daphne, site_database):
    daphne = start_daphne(DATABASE_URL=site_database(kind))
    with httpx.Client(base_url=daphne.url, follow_redirects=True) as client:
        assert client.get("/private/").url.path == "/accounts/login/"
        token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        page = client.post("/accounts/login/", data=credentials("alice") | token)
        assert page.url.path == "/private/"
        assert ">alice<" in page.text
        assert client.get("/async/whoami/").json() == {"user": "alice"}
        client.post("/api/logout/")
        assert client.get("/whoami/").json() == {"user": None}

        client.post("/async/api/login/", json=credentials("bob"))
        assert client.get("/whoami/").json() == {"user": "bob"}
        assert client.get("/async/private/").url.path == "/async/private/"
        client.post("/async/api/logout/")
        assert client.get("/async/whoami/").json() == {"user": None}


def test_each_test_has_a_site_database_of_its_own(site_database):
    assert site_database("sqlite") != site_database("sqlite")


@pytest.mark.parametrize("layer", ["inmemory", "redis", "pubsub"])
async def test_site_speaks_over_websockets_with(layer, redis, start_daphne, site_database):
    daphne = start_daphne(
        DATABASE_URL=site_database("sqlite"), REDIS_URL=redis.url, CHANNEL_LAYER=layer
    )
    async with httpx.AsyncClient(base_url=daphne.url) as client:
        await client.post("/api/login/", json=credentials("alice"))
        cookie = {"Cookie": f"sessionid={client.cookies['sessionid']}"}
    async with connect(
        f"{daphne.ws_url}/ws/chat/", additional_headers=cookie, origin=daphne.url
    ) as chat:
        await chat.send("hello")
        assert await chat.recv() == "hello"
    async with connect(
        f"{daphne.ws_url}/ws/clock/", additional_headers=cookie, origin=daphne.url
    ) as clock:
        await clock.send("?")
        assert datetime.fromisoformat(await clock.recv())


@pytest.mark.parametrize("prefix", ["", "/async"])
async def test_gate_holds_a_live_request(prefix, gate, start_daphne, site_database):
    daphne = start_daphne(
        DATABASE_URL=site_database("sqlite"), GATE_DIRECTORY=str(gate.directory)
    )
    async with httpx.AsyncClient(base_url=daphne.url) as client:
        await client.post("/api/login/", json=credentials("alice"))
        request = asyncio.create_task(client.get(f"{prefix}/slow/"))
        await gate.await_arrival()
        assert not request.done()
        gate.open()
        assert (await request).json() == {"user": "alice"}


async def test_stream_ticks(start_daphne, site_database):
    daphne = start_daphne(DATABASE_URL=site_database("sqlite"))
    async with httpx.AsyncClient(base_url=daphne.url) as client:
        await client.post("/api/login/", json=credentials("alice"))
        async with client.stream("GET", "/stream/") as response:
            lines = response.aiter_lines()
            assert [await anext(lines) for _ in range(3)] == ["data: 0", "", "data: 1"]


@pytest.mark.django_db(transaction=True)
async def test_threads_share_the_database_of_in_process_tests(django_user_model):
    def sign_up(name):
        with closing(connection):
            django_user_model.objects.create_user(name)

    await asyncio.gather(*(asyncio.to_thread(sign_up, f"user{number}") for number in range(20)))
    assert await django_user_model.objects.acount() == 20


async def test_browser_opens_a_page(new_browser_context):
    context = await new_browser_context()
    page = await context.new_page()
    await page.set_content("<title>Hello</title>")
    await await_until(page.title, "the page to have a title")


def test_a_missing_program_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setattr(packages.shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(packages.MissingProgramError, match="apt-get install redis-server"):
        packages.find("redis-server")


def test_servers_end_with_the_process_that_started_them():
    script = """
        import os, signal
        from tests.servers.postgres import PostgresServer
        from tests.servers.redis import RedisServer
        for server in [RedisServer(), PostgresServer()]:
            server.start()
            print(server.pid, server.directory, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    for line in done.stdout.splitlines():
        pid, directory = line.split()
        wait_until(lambda pid=pid: not _is_alive(int(pid)), f"process {pid} to end")
        shutil.rmtree(directory)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
