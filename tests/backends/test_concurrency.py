"""Sign-ins that really happen at once: real processes, databases and a real Redis.

LIVE_SINGLE_SESSION_ROUNDS in the environment: how often each of them happens.
"""

import os
from contextlib import closing
from functools import partial
from itertools import cycle
from urllib.parse import urlencode
from uuid import UUID

import dj_database_url
import pytest
from django.db import connections
from django.db.utils import load_backend

from live_single_session.models import digest
from tests.helpers.engines import ENGINES
from tests.helpers.processes import at_once, browser_at, environment, sign_in, who

ROUNDS = int(os.environ.get("LIVE_SINGLE_SESSION_ROUNDS", "2"))
LOGINS = 8
PATHS = ["/api/login/", "/async/api/login/"]

SERVERS = [
    *[("postgres", engine, False) for engine in ENGINES],
    *[("mariadb", engine, False) for engine in ENGINES],
    ("postgres", "db", True),
    ("postgres", "cached_db", True),
    ("mariadb", "db", True),
    ("mariadb", "cache", True),
]

JOURNALS = {
    "rollback-journal": {},
    "wal": {"init_command": "PRAGMA journal_mode=WAL;"},
}


@pytest.fixture(autouse=True)
def _databases_may_be_asked(django_db_blocker):
    with django_db_blocker.unblock():
        yield


def live_sessions(database_url):
    """What the registry says: (username, id, key digest) of each live session."""
    settings = {
        "ATOMIC_REQUESTS": False,
        "AUTOCOMMIT": True,
        "TIME_ZONE": None,
        "CONN_HEALTH_CHECKS": False,
        **dj_database_url.parse(database_url),
    }
    settings = {**connections["default"].settings_dict, **settings, "TEST": {}}
    backend = load_backend(settings["ENGINE"])
    wrapper = backend.DatabaseWrapper(settings, "other")
    with closing(wrapper) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT username, s.id, key_digest FROM live_single_session_usersession s"
            " JOIN auth_user u ON u.id = s.user_id WHERE ended_at IS NULL"
        )
        return cursor.fetchall()


def start_two(start_daphne, env):
    return [daphne.url for daphne in at_once([partial(start_daphne, **env)] * 2)]


def race(urls, names, database_url):
    """Sign in at once, one for each name; then look who is still signed in."""
    logins = [
        partial(sign_in, url, name, path)
        for name, url, path in zip(names, cycle(urls), cycle(PATHS * 2), strict=False)
    ]
    responses = at_once(logins)
    assert [response.status_code for response in responses] == [200] * len(names)
    cookies = [response.cookies["sessionid"] for response in responses]
    looks = [partial(who, url, cookie) for cookie, url in zip(cookies, cycle(urls))]
    found = at_once(looks)
    for name in set(names):
        assert found.count(name) == 1, found
    live = [row for row in live_sessions(database_url) if row[0] in names]
    assert sorted(name for name, _, _ in live) == sorted(set(names))
    signed_in = {name: cookie for name, cookie in zip(found, cookies, strict=True) if name}
    for name, session_id, key_digest in live:
        assert str(UUID(str(session_id))) == session_of(urls[0], signed_in[name])
        assert key_digest in (None, digest(signed_in[name]))  # a signed cookie is no key


def session_of(url, cookie):
    with browser_at(url, cookie) as browser:
        return browser.get("/session/status/").json()["session"]


@pytest.mark.parametrize(
    ("kind", "engine", "atomic"),
    SERVERS,
    ids=[f"{k}-{e}-atomic" if a else f"{k}-{e}" for k, e, a in SERVERS],
)
def test_inv1_one_of_many_sign_ins_at_once_remains(
    kind, engine, atomic, site_database, redis, start_daphne, tmp_path
):
    database_url = site_database(kind)
    env = environment(
        engine, database_url, redis, tmp_path / "sessions", ATOMIC_REQUESTS=atomic
    )
    urls = start_two(start_daphne, env)
    for _ in range(ROUNDS):
        race(urls, ["alice"] * LOGINS, database_url)
        race(urls, ["alice", "bob", "carol"] * 3, database_url)


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("atomic", [False, True], ids=["", "atomic"])
def test_inv1_one_of_many_sign_ins_at_once_remains_on_sqlite(
    journal, atomic, site_database, redis, start_daphne, tmp_path
):
    """In one process; a request that finds the database locked waits for it."""
    options = {**JOURNALS[journal], "timeout": 20}
    if atomic:
        options["transaction_mode"] = "IMMEDIATE"
    database_url = f"{site_database('sqlite')}?{urlencode(options)}"
    env = environment("db", database_url, redis, tmp_path / "sessions", ATOMIC_REQUESTS=atomic)
    # SQLite waits for nobody when it changes a file's journal: that is done before the race.
    assert live_sessions(database_url) == []
    daphne = start_daphne(**env)
    for _ in range(ROUNDS):
        race([daphne.url], ["alice"] * LOGINS, database_url)
        race([daphne.url], ["alice", "bob", "carol"] * 3, database_url)
    assert "database is locked" not in daphne.log


@pytest.mark.parametrize("atomic", [False, True], ids=["", "atomic"])
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_inv6_users_who_swap_browsers_at_once_do_not_deadlock(
    kind, atomic, site_database, redis, start_daphne, tmp_path
):
    database_url = site_database(kind)
    env = environment("db", database_url, redis, tmp_path / "s", ATOMIC_REQUESTS=atomic)
    daphne = start_daphne(**env)
    cookies = [sign_in(daphne.url, name).cookies["sessionid"] for name in ("alice", "bob")]
    for number in range(3 * ROUNDS):
        names = ["bob", "alice"] if number % 2 == 0 else ["alice", "bob"]
        swaps = [
            partial(sign_in, daphne.url, name, cookie=cookie)
            for name, cookie in zip(names, cookies, strict=True)
        ]
        responses = at_once(swaps)
        assert [response.status_code for response in responses] == [200, 200], daphne.log
        cookies = [response.cookies["sessionid"] for response in responses]
        assert len(live_sessions(database_url)) == 2
        found = [who(daphne.url, cookie) for cookie in cookies]
        assert found == names


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.parametrize("engine", ["db", "cached_db"])
def test_inv2_rotations_and_sign_ins_at_once(
    kind, engine, site_database, redis, start_daphne, tmp_path
):
    database_url = site_database(kind)
    env = environment(engine, database_url, redis, tmp_path / "sessions")
    urls = start_two(start_daphne, env)
    cookie = sign_in(urls[0]).cookies["sessionid"]
    for _ in range(ROUNDS):
        calls = [
            *[partial(rotated, url, cookie) for url in urls * 3],
            *[partial(sign_in, url, path=path) for url, path in zip(urls, PATHS, strict=True)],
        ]
        responses = at_once(calls)
        # 401: it had been superseded by the time that it was to get a new key.
        assert {response.status_code for response in responses} <= {200, 302, 401}
        cookies = {response.cookies.get("sessionid") for response in responses} - {None, ""}
        signed_in = [cookie for cookie in cookies if who(urls[0], cookie) == "alice"]
        assert len(signed_in) == 1
        assert len(live_sessions(database_url)) == 1
        cookie = signed_in[0]


def rotated(url, cookie):
    with browser_at(url, cookie) as browser:
        return browser.get("/rotate/")
