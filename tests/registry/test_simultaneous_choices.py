"""Many sign-ins at once, in two processes on PostgreSQL: nobody is ended whom nobody chose."""

import asyncio
from collections import Counter

import httpx
import psycopg
import pytest

from tests.helpers.people import Person, people
from tests.site.people import credentials

AT_ONCE = 8
ROUNDS = 50
API = {"Accept": "application/json", "Sec-Fetch-Mode": "cors"}


@pytest.fixture
def database(site_database):
    return site_database("postgres")


@pytest.fixture
def nodes(start_daphne, database):
    def start(**policy):
        env = {"DATABASE_URL": database, "LIVE_SINGLE_SESSION": {"LIMIT": 2, **policy}}
        return [start_daphne(**env) for _ in range(2)]

    return start


class Site:
    """Two browsers that are signed in, and eight that want to be."""

    def __init__(self, database, connection, olds, newcomers):
        self._connection = connection
        self.olds, self.newcomers = olds, newcomers

    async def ask(self, sql, *values):
        cursor = await self._connection.execute(sql, values)
        return await cursor.fetchall() if cursor.description else []

    async def begin(self):
        """Sign the old ones in again; return the ids of their sessions."""
        await self.ask("DELETE FROM live_single_session_usersession")
        await self.ask("DELETE FROM django_session")
        for person in (*self.olds, *self.newcomers):
            person.http.cookies.clear()
        for person in self.olds:
            await person.sign_in()
        table = "live_single_session_usersession"
        return [row[0] for row in await self.ask(f"SELECT id FROM {table} ORDER BY serial")]

    async def ended(self):
        rows = "SELECT id, end_reason FROM live_single_session_usersession "
        return await self.ask(rows + "WHERE ended_at IS NOT NULL")

    async def live(self):
        rows = "SELECT count(*) FROM live_single_session_usersession WHERE ended_at IS NULL"
        return (await self.ask(rows))[0][0]


@pytest.fixture
async def site(database):
    stack = []

    async def open_all(nodes):
        opened = []
        for node, count in ((nodes[0], 2 + AT_ONCE // 2), (nodes[1], AT_ONCE // 2)):
            group = people(node, *["alice"] * count)
            opened += await group.__aenter__()
            stack.append(group)
        connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
        stack.append(connection)
        return Site(database, connection, opened[:2], opened[2:])

    yield open_all
    for opened in reversed(stack):
        await opened.__aexit__(None, None, None)


async def statuses(calls):
    answers = await asyncio.gather(*calls)
    return Counter(answer.status_code for answer in answers)


@pytest.mark.parametrize("mode", ["refuse", "ask"])
async def test_inv1_only_who_is_gone_gives_way_and_once(nodes, site, mode):
    site = await site(nodes(ON_LIMIT=mode, AWAY_SECONDS=600))
    table = "live_single_session_usersession"
    for number in range(ROUNDS):
        ids = await site.begin()
        gone, there = ids if number % 2 else reversed(ids)
        set_until = (
            f"UPDATE {table} SET present_until = now() + %s * interval '1 s' WHERE id=%s"
        )
        await site.ask(set_until, -601, gone)
        await site.ask(set_until, 300, there)
        found = await statuses(
            person.http.post("/async/api/login/", json=credentials("alice"), headers=API)
            for person in site.newcomers
        )
        assert found == {200: 1, 409: AT_ONCE - 1}
        assert await site.ended() == [(gone, "superseded")]
        assert await site.live() == 2


async def test_inv1_only_who_was_picked_ends_and_once(nodes, site):
    site = await site(nodes(ON_LIMIT="ask"))
    for number in range(ROUNDS):
        ids = await site.begin()
        picked = ids[number % 2]
        await asyncio.gather(*(is_asked(person) for person in site.newcomers))
        found = await statuses(pick(person, picked) for person in site.newcomers)
        # 401: there was another sign-in; 400: the picked one has just gone.
        assert found[200] == 1
        assert found[401] + found[400] == AT_ONCE - 1
        assert await site.ended() == [(picked, "superseded")]
        assert await site.live() == 2


async def is_asked(person: Person) -> None:
    answer = await person.http.post("/async/api/login/", json=credentials("alice"), headers=API)
    assert answer.status_code == 409, answer.text


async def pick(person: Person, session_id) -> httpx.Response:
    token = person.http.cookies["csrftoken"]
    choice = {"choice": "continue", "end": [str(session_id)]}
    headers = {**API, "X-CSRFToken": token}
    return await person.http.post("/session/choose/", json=choice, headers=headers)
