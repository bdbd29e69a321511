"""Many sign-ins of one user at the same time, in two processes, on PostgreSQL."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest

from tests.helpers.people import people

LOGINS = 12
LIVE = "SELECT count(*) FROM live_single_session_usersession WHERE ended_at IS NULL"


@pytest.fixture
def database(site_database):
    return site_database("postgres")


@pytest.fixture
def start_site(start_daphne, database):
    """`start_site(ON_LIMIT="refuse")`: two processes with such a policy."""

    def start(**policy):
        env = {"DATABASE_URL": database, "LIVE_SINGLE_SESSION": policy}
        return [start_daphne(**env) for _ in range(2)]

    return start


@pytest.fixture
async def browsers():
    """`browsers(sites)`: as many as there are sign-ins, in turn on each process."""
    async with AsyncExitStack() as stack:

        async def open_all(sites):
            halves = [people(site, *["alice"] * (LOGINS // len(sites))) for site in sites]
            opened = [await stack.enter_async_context(half) for half in halves]
            return [person for pair in zip(*opened, strict=True) for person in pair]

        yield open_all


class Watcher:
    """Counts the live sessions all the time; what it sees is what was committed."""

    def __init__(self, database):
        self._database = database
        self.most = 0

    async def __aenter__(self):
        self._connection = await psycopg.AsyncConnection.connect(
            self._database, autocommit=True
        )
        await self.count()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._connection.close()
        async with await psycopg.AsyncConnection.connect(self._database) as self._connection:
            await self.count()

    async def _watch(self):
        while True:
            await self.count()

    async def count(self):
        cursor = await self._connection.execute(LIVE)
        (number,) = await cursor.fetchone()
        self.most = max(self.most, number)
        return number


async def sign_in(person):
    return (await person.try_to_sign_in()).status_code


async def choose(person, **more):
    headers = {"X-CSRFToken": person.http.cookies["csrftoken"], "Accept": "application/json"}
    answer = await person.http.post(
        "/session/choose/", json={"choice": "continue", **more}, headers=headers
    )
    return answer.status_code


async def newest_live(person):
    """The one that would give way last, as the question shows it."""
    headers = {"Accept": "application/json"}
    question = (await person.http.get("/session/choose/", headers=headers)).json()
    return question["sessions"][0]["session"]


async def signed_in(browsers):
    return [await person.name_seen_by_site() for person in browsers].count("alice")


@pytest.mark.parametrize("limit", [1, 3])
async def test_inv1_refuse_lets_exactly_as_many_in(start_site, browsers, database, limit):
    all_browsers = await browsers(start_site(ON_LIMIT="refuse", LIMIT=limit))
    async with Watcher(database) as watcher:
        answers = await asyncio.gather(*map(sign_in, all_browsers))
    assert sorted(answers) == [200] * limit + [409] * (LOGINS - limit)
    assert watcher.most == limit
    assert await signed_in(all_browsers) == limit


@pytest.mark.parametrize("limit", [1, 3])
async def test_inv1_ask_never_lets_too_many_in(start_site, browsers, database, limit):
    all_browsers = await browsers(start_site(ON_LIMIT="ask", LIMIT=limit))
    async with Watcher(database) as watcher:
        answers = await asyncio.gather(*map(sign_in, all_browsers))
        assert sorted(answers) == [200] * limit + [409] * (LOGINS - limit)
        asked = [b for b, status in zip(all_browsers, answers, strict=True) if status == 409]
        answers = await asyncio.gather(*map(choose, asked))
    assert sorted(answers) == [200] + [401] * (len(asked) - 1)
    assert watcher.most == limit
    assert await signed_in(all_browsers) == limit


async def test_inv1_nobody_is_ended_whom_nobody_picked(start_site, browsers, database):
    """All pick at once, and the same one: not the one that would have given way."""
    all_browsers = await browsers(start_site(ON_LIMIT="ask", LIMIT=3))
    kept = [await sign_in(browser) for browser in all_browsers[:3]]
    asked = all_browsers[3:]
    async with Watcher(database) as watcher:
        answers = await asyncio.gather(*map(sign_in, asked))
        assert (kept, set(answers)) == ([200] * 3, {409})
        picked = await newest_live(asked[0])
        answers = await asyncio.gather(*(choose(browser, end=[picked]) for browser in asked))
    assert sorted(answers)[:1] == [200]
    assert set(sorted(answers)[1:]) <= {400, 401}  # it is gone, or the choice was made
    assert watcher.most == 3
    assert await signed_in(all_browsers[:2]) == 2
    assert await signed_in(all_browsers[2:3]) == 0
    assert await signed_in(asked) == 1


async def test_inv1_end_oldest_leaves_the_newest(start_site, browsers, database):
    all_browsers = await browsers(start_site())
    async with Watcher(database) as watcher:
        answers = await asyncio.gather(*map(sign_in, all_browsers))
    assert answers == [200] * LOGINS
    assert watcher.most == 1
    assert await signed_in(all_browsers) == 1


async def test_inv1_observe_lets_everybody_in(start_site, browsers, database):
    all_browsers = await browsers(start_site(ON_LIMIT="observe"))
    answers = await asyncio.gather(*map(sign_in, all_browsers))
    assert answers == [200] * LOGINS
    assert await signed_in(all_browsers) == LOGINS
