"""The suite's own ground: servers that start, stop, hang and come back as told."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import httpx
import MySQLdb
import psycopg
import pytest
import redis as redis_client
from channels.routing import ProtocolTypeRouter

from tests.servers import packages
from tests.servers.process import ROOT, ServerFailedError
from tests.servers.waiting import await_until, wait_until


async def trivial_http(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": os.environ["GREETING"].encode()})


trivial_application = ProtocolTypeRouter({"http": trivial_http})


def test_redis_survives_kill_pause_and_restart_on_the_same_port(redis):
    client = redis_client.Redis.from_url(redis.url, socket_timeout=0.2)
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
    daphne = start_daphne("tests.test_servers:trivial_application", GREETING="hello")
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
