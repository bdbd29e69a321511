"""People at two nodes while everything under them fails at random; then the truth is checked.

python -m tests.chaos.chaos --seconds 60 --layer pubsub --engine db --limit 1
"""

import argparse
import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from glob import glob
from itertools import cycle
from typing import Any

import django
import psycopg
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.contrib.sessions.backends import cache

from tests.chaos.visitors import Tab, Visitor
from tests.chaos.witness import (
    Database,
    Journal,
    Row,
    digest,
    gone,
    id_in,
    is_signed,
    quantiles,
)
from tests.helpers.crowd import gather, name_of
from tests.helpers.http_client import Answer, HttpClient
from tests.helpers.proxy import Proxy
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.packages import find
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ENGINES = {
    "db": "live_single_session.backends.db",
    "cached_db": "live_single_session.backends.cached_db",
    "cache": "live_single_session.backends.cache",
    "signed_cookies": "live_single_session.backends.signed_cookies",
}
# How a traceback may end in the log while a fault is there, or soon after it: with the server
# that the fault took away, and nothing else.
EXPLAINED = {
    "postgres": re.compile(
        r"""django\.db\.utils\.(OperationalError|InterfaceError)
        | psycopg\.(OperationalError|InterfaceError|errors\.(AdminShutdown|CannotConnectNow))
        """,
        re.VERBOSE,
    ),
    "redis": re.compile(r"redis\.exceptions\.(ConnectionError|TimeoutError|BusyLoadingError)"),
}
# What Django makes of a database that goes away while it saves a session.
UNSAVED = re.compile(r"django\.contrib\.sessions\.exceptions\.SessionInterrupted")
# redis-py's pub/sub connects again from two tasks of channels_redis at once: one loses, or
# gets what was meant for the other.
BOTH_READ = re.compile(
    r"RuntimeError: readuntil\(\) called while another coroutine is already"
    r"|redis\.exceptions\.ResponseError: unknown subcommand 'SETINFO'"
    r"|AttributeError: 'NoneType' object has no attribute 'writelines'"
)
# channels_redis logs as an error what cancels a receiver that unsubscribes over a slow network.
SLOW_TO_LEAVE = re.compile(r"asyncio\.exceptions\.CancelledError")
# What asyncio and Python say of tasks and sockets that nobody has looked after.
NEGLECT = re.compile(
    r".*(?:was never (?:awaited|retrieved)|was destroyed but|ResourceWarning).*"
)
# What channels_redis starts after each message that it has received, and doesn't look after.
CLEANER = re.compile(r"\nfuture: <Task .*coro=<RedisChannelLayer\._clean_receive_backup")
# What a node may have left once everybody is gone, and what has to do with them.
IDLE = {
    "watched": 0,
    "groups": 0,
    "objects": 20,
    "tasks": 8,
    "threads": 12,
    "files": 50,
    "connections to Redis": 25,
    "resident": 180 << 20,
}
AFTERMATH = 15  # seconds; a connection that a fault broke may be found broken much later


@dataclass(frozen=True)
class Plan:
    """How a run goes."""

    seconds: float = 20
    seed: int = 1
    layer: str = "pubsub"
    engine: str = "db"
    limit: int = 1
    users: int = 6
    browsers: int = 3  # of each user
    recheck_seconds: float = 3
    push_timeout_seconds: float = 1
    faults: tuple[str, ...] = ()  # all, if none is named
    in_turn: bool = False  # each of them once; else at random, two at a time
    fault_seconds: tuple[float, float] = (0.3, 2.5)
    pause_seconds: tuple[float, float] = (0.5, 4)  # after a fault
    wrong_clock: bool = True
    watches_browsers: bool = False  # whose is there, and whether two share a session
    patience: float = 1  # how many times as long everything may take as on an idle machine


@dataclass
class Report:
    plan: dict[str, Any]
    journal: Journal
    tracebacks: dict[str, int] = field(default_factory=dict)
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""

    @property
    def violations(self) -> list[str]:
        return self.journal.violations

    def as_json(self) -> dict[str, Any]:
        journal = self.journal
        return {
            "plan": self.plan,
            "faults": dict(Counter(text.split(" ", 1)[1] for text in journal.faults)),
            "timeline": journal.faults,
            "logins": journal.logins,
            "logins that a fault failed": journal.refused,
            "requests": journal.requests,
            "rotations": journal.rotations,
            "sessions that a fault cost": journal.lost,
            "ended sessions that opened a page while the cache was away": journal.unsure,
            "told": journal.told,
            "checks from outside": journal.checks,
            "seconds to log in": quantiles(journal.seconds_to_login),
            "seconds from login to being told": quantiles(journal.seconds_to_tell),
            "seconds from recovery until all knew": journal.seconds_until_all_knew,
            "ended rows whose key is not forgotten yet": journal.unfinished,
            "tracebacks that a fault explains": self.tracebacks,
            "before": self.before,
            "after": self.after,
            "violations": journal.violations,
        }


class World:
    """PostgreSQL, Redis, and two nodes, each with a network of its own to Redis."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.journal = Journal()
        self.redis = RedisServer()
        self.postgres = PostgresServer()
        self.links: list[Proxy] = []
        self.nodes: list[Daphne] = []
        self.locks: dict[str, asyncio.Lock] = {}
        self.hits: dict[str, list[tuple[float, float]]] = {}
        self.marks = [(time.monotonic(), [0, 0])]  # how long the logs were, and when
        self.lost: set[str] = set()  # sessions
        self.is_over = False
        self._number = cycle(range(2))
        self._delay = cycle([0.4, 0.02, 0.1])
        self.database: Database

    @property
    def ports(self) -> list[int]:
        return [node.port for node in self.nodes]

    @property
    def away_seconds(self) -> float:
        return 6 * self.plan.recheck_seconds

    @property
    def watching(self) -> dict[str, object]:
        """The settings that watch browsers."""
        if not self.plan.watches_browsers:
            return {}
        return {"AWAY_SECONDS": self.away_seconds, "ON_SHARED": "end"}

    def client(self, seconds: float = 30, **options: Any) -> HttpClient:
        return HttpClient(seconds * self.plan.patience, **options)

    def start(self, stack: ExitStack) -> None:
        stack.callback(self.redis.close)
        self.redis.start()
        stack.callback(self.postgres.close)
        self.postgres.start()
        databases = SiteDatabases(self.postgres)
        url = databases.url(databases.create())
        gather(self.plan.users, url)
        self.database = Database(url)
        for number in range(2):
            link = Proxy(self.redis.port)
            stack.callback(link.close)
            link.start()
            self.links.append(link)
            env: dict[str, object] = {
                "DATABASE_URL": url,
                "CHANNEL_LAYER": self.plan.layer,
                "SESSION_ENGINE": ENGINES[self.plan.engine],
                "REDIS_URL": link.url,
                "LIVE_SINGLE_SESSION": {
                    "LIMIT": self.plan.limit,
                    "RECHECK_SECONDS": self.plan.recheck_seconds,
                    "PUSH_TIMEOUT_SECONDS": self.plan.push_timeout_seconds,
                    **self.watching,
                },
            }
            if self.plan.layer == "redis":  # as the system checks ask for
                host = {"address": link.url, "socket_timeout": 15}
                env["CHANNEL_LAYER_CONFIG"] = {"hosts": [host], "capacity": 2000}
            if number == 1 and self.plan.wrong_clock:
                env |= wrong_clock(random.choice([-3600, 3600, 100_000]))
            node = Daphne("tests.chaos.asgi:application", env)
            stack.callback(node.close)
            node.start()
            self.nodes.append(node)

    async def has_session(self, key: str) -> bool:
        """Whether Django's engine has a session; a signed cookie is one."""
        if self.plan.engine == "cache":
            return await asyncio.to_thread(self.redis.has, f":1:{cache.KEY_PREFIX}{key}")
        found: bool = await self.database.patient(self.database.has_session, key)
        return found or self.plan.engine == "signed_cookies"

    # Faults

    def hit_between(self, began: float, kinds: tuple[str, ...], grace: float = 0.0) -> bool:
        """Whether a fault of one of these kinds was there at some time since then."""
        now, grace = time.monotonic(), grace * self.plan.patience
        return any(
            first <= now and last + grace >= began
            for kind in kinds
            for first, last in self.hits.get(kind, [])
        )

    @asynccontextmanager
    async def fault(self, kinds: str, target: str, what: str) -> AsyncIterator[None]:
        """Hold a target; whatever happens meanwhile is explained by this fault."""
        async with self.locks.setdefault(target, asyncio.Lock()):
            self.mark()
            began = time.monotonic()
            period = (began, float("inf"))
            for kind in kinds.split():
                self.hits.setdefault(kind, []).append(period)
            self.journal.faults.append(f"{began - self.journal.began:.1f} {what}")
            try:
                yield
            finally:
                for kind in kinds.split():
                    self.hits[kind].remove(period)
                    self.hits[kind].append((began, time.monotonic()))
                self.mark()

    def mark(self) -> None:
        """Note how long the logs are now."""
        self.marks.append((time.monotonic(), [len(node.log) for node in self.nodes]))

    def explains(self, kind: str, number: int, place: int) -> bool:
        """Whether there was a fault of a kind when a node wrote to this place of its log."""
        before = [when for when, lengths in self.marks if lengths[number] <= place]
        after = [when for when, lengths in self.marks if lengths[number] > place]
        earliest, latest = max(before), min(after)
        return any(
            first <= latest and earliest <= last + AFTERMATH
            for first, last in self.hits.get(kind, [])
        )

    def _some_time(self) -> Awaitable[None]:
        return asyncio.sleep(random.uniform(*self.plan.fault_seconds))

    async def redis_killed(self) -> None:
        async with self.fault("redis emptied", "redis", "Redis killed"):
            await asyncio.to_thread(self.redis.kill)
            await self._some_time()
            await asyncio.to_thread(self.redis.restart)

    async def redis_paused(self) -> None:
        async with self.fault("redis", "redis", "Redis paused"):
            self.redis.pause()
            await self._some_time()
            self.redis.resume()

    async def redis_flushed(self) -> None:
        async with self.fault("redis emptied", "redis", "Redis flushed"):
            await asyncio.to_thread(self.redis.flush)

    async def redis_cut(self) -> None:
        async with self.fault("redis", "redis", "Redis: all connections cut"):
            await asyncio.to_thread(self.redis.cut_connections)

    async def postgres_restarted(self) -> None:
        async with self.fault("postgres", "postgres", "PostgreSQL restarted"):
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.sleep(random.uniform(0, 1))
            await asyncio.to_thread(self.postgres._start)

    async def node_killed(self) -> None:
        number = next(self._number)
        async with self.fault("node", f"node {number}", "node killed with -9"):
            await asyncio.to_thread(self.nodes[number].kill)
            await self._some_time()
            await asyncio.to_thread(self.nodes[number].restart)

    async def node_restarted(self) -> None:
        number = next(self._number)
        async with self.fault("node", f"node {number}", "node restarted in order"):
            await asyncio.to_thread(self.nodes[number].restart)

    async def link_slow(self) -> None:
        number = next(self._number)
        async with self.fault("redis", f"link {number}", "network to Redis slow"):
            self.links[number].delay = next(self._delay)
            await self._some_time()
            self.links[number].delay = 0.0

    async def link_silent(self) -> None:
        number = next(self._number)
        async with self.fault("redis", f"link {number}", "network to Redis silent"):
            self.links[number].silent = True
            await self._some_time()
            self.links[number].silent = False

    async def link_cut(self) -> None:
        number = next(self._number)
        async with self.fault("redis", f"link {number}", "network to Redis cut"):
            await asyncio.to_thread(self.links[number].cut)

    @property
    def faults(self) -> dict[str, Callable[[], Awaitable[None]]]:
        every = [
            self.redis_killed,
            self.redis_paused,
            self.redis_flushed,
            self.redis_cut,
            self.postgres_restarted,
            self.node_killed,
            self.node_restarted,
            self.link_slow,
            self.link_silent,
            self.link_cut,
        ]
        return {fault.__name__: fault for fault in every}

    async def fail(self, until: float) -> None:
        """Let everything fail, for so long or, in turn, once."""
        if self.plan.in_turn:
            for fault in self._wanted:
                await self.faults[fault]()
                await asyncio.sleep(random.uniform(*self.plan.pause_seconds))
        else:
            await asyncio.gather(self._fail_at_random(until), self._fail_at_random(until))

    @property
    def _wanted(self) -> tuple[str, ...]:
        return self.plan.faults or tuple(self.faults)

    async def _fail_at_random(self, until: float) -> None:
        order: list[str] = []
        while time.monotonic() < until:
            if not order:  # each of them comes up
                order = random.sample(self._wanted, len(self._wanted))
            await self.faults[order.pop()]()
            pause = random.uniform(*self.plan.pause_seconds)
            await asyncio.sleep(max(0.0, min(pause, until - time.monotonic())))


def wrong_clock(seconds: int) -> dict[str, object]:
    """The environment of a process whose clock is wrong; its monotonic clock is right."""
    find("faketime")  # or say how to get it
    return {
        "LD_PRELOAD": glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0],
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


# What a person does


class Person:
    """Signs in, works, keeps a tab open; when signed out, signs in again after a while."""

    def __init__(self, world: World, user: str) -> None:
        self.world = world
        self.journal = world.journal
        self.visitor = Visitor(user, world.ports, world.plan.patience)
        self.cookies: list[str] = []  # all that this browser ever had
        self.tabs: list[Tab] = []

    async def live(self) -> None:
        while not self.world.is_over:
            tab = self.visitor.tab
            if tab is None or tab.told is not None or tab.session in self.world.lost:
                if tab is not None and tab.told is not None and not tab.heeded:
                    await self.check_farewell(tab)
                await asyncio.sleep(random.uniform(0.2, 4))
                await self._sign_in()
            elif random.random() < 0.08:
                await self._rotate(tab)
            else:
                await self._request(tab, "/async/whoami/")
            await asyncio.sleep(random.uniform(0.05, 0.6))

    async def _sign_in(self) -> None:
        visitor, began = self.visitor, time.monotonic()
        left = await self._row_of_cookie()
        visitor.http.close()
        try:
            status = await visitor.sign_in()
        except (OSError, TimeoutError):
            status = 0
        took = time.monotonic() - began
        if status != 200:
            if self.world.hit_between(began, ("postgres", "node", *self._cache), grace=2):
                self.journal.refused += 1
            else:
                self.journal.violation(f"a login of {visitor.user} failed with {status}")
            return
        self.journal.logins += 1
        self.journal.seconds_to_login.append(took)
        if not self.world.hit_between(began, ("postgres", "node", *self._cache), grace=2):
            self.journal.unhindered_logins.append((began, took))
        self._note_cookie()
        # The page that follows names the session: it is looked up here instead.
        row = await self._row_of_cookie()
        if row is None:
            self.journal.violation(f"a login of {visitor.user} has left no session")
            return
        tab = visitor.open_tab(str(row.id))
        tab.login_sent_at = began
        self.tabs.append(tab)
        if left is not None and left.id != row.id:
            left = await self.world.database.patient(
                self.world.database.of_session, str(left.id)
            )
            if left is None or left.live:
                self.journal.violation(f"a login has left {left} in the same browser")

    async def _rotate(self, tab: Tab) -> None:
        began = time.monotonic()
        answer = await self._request(tab, "/async/rotate/")
        tab.rotations.append((began, time.monotonic()))
        tab.a_rotation_failed |= answer is None or _failed(answer)
        self.journal.rotations += 1

    async def _request(self, tab: Tab, path: str) -> Answer | None:
        """Nobody who is signed in is ever taken for somebody who is not."""
        visitor, began = self.visitor, time.monotonic()
        try:
            answer = await visitor.http.get(visitor.any_port(), path)
        except (OSError, TimeoutError):
            self.journal.unsure += 1
            return None
        finally:
            self._note_cookie()
        self.journal.requests += 1
        self.journal.answers.append((began, time.monotonic()))
        user = answer.json().get("user") if answer.status == 200 else None
        if user == visitor.user:
            return answer
        if _failed(answer) and self.world.hit_between(
            began, ("postgres", "node", *self._cache), grace=2
        ):
            self.journal.unsure += 1
            return answer
        database = self.world.database
        row = await database.patient(database.of_session, tab.session)
        if row is None or (row.live and not await is_excused(self.world, tab, began)):
            what = f"{path} answered {answer.status} {answer.body[:90]!r} to {visitor.user}"
            self.journal.violation(f"{what}, whose session is {row}")
        return answer

    @property
    def _cache(self) -> tuple[str, ...]:
        """A site whose sessions are in Redis needs it: Django's own engines do."""
        return () if self.world.plan.engine == "db" else ("redis",)

    async def _row_of_cookie(self) -> Row | None:
        if self.visitor.cookie is None:
            return None
        database = self.world.database
        row: Row | None = await database.patient(database.of_cookie, self.visitor.cookie)
        return row

    async def check_farewell(self, tab: Tab) -> None:
        """Nobody is told wrongly."""
        tab.heeded = True
        self.journal.told += 1
        row = await self.world.database.patient(self.world.database.of_session, tab.session)
        reason = tab.told["reason"]
        if row is not None and not row.live and row.reason == reason:
            return
        # Between two keys, Django has no session for this browser.
        excused = reason == "not_signed_in" and (
            tab.asked_beside_a_rotation or await is_excused(self.world, tab, tab.asked_at)
        )
        if not excused:
            self.journal.violation(f"a tab of {self.visitor.user} was told {reason} of {row}")

    def _note_cookie(self) -> None:
        cookie = self.visitor.cookie
        if cookie and (not self.cookies or self.cookies[-1] != cookie):
            self.cookies.append(cookie)
        tab = self.visitor.tab
        if tab is not None:
            tab.cookie_header = self.visitor.http.cookie_header


def _failed(answer: Answer) -> bool:
    """Whether the site could not do what it was asked to; 400 is a session not saved."""
    return answer.status == 400 or answer.status >= 500


async def is_excused(world: World, tab: Tab, since: float) -> bool:
    """Whether a live session is nobody's for this browser, as it would be with Django alone.

    Its cache engine takes a cache that is away for an empty one, and loses what is in it.
    And whoever gives a session a new key deletes the old one first: when that request
    fails, there is neither.
    """
    engine, key = world.plan.engine, tab.visitor.cookie or ""
    if tab.session in world.lost:  # its browser may have signed in again since
        return True
    lost = tab.a_rotation_failed and not await world.has_session(key)
    lost |= engine == "cache" and world.hit_between(tab.login_sent_at, ("emptied",))
    if lost:
        world.lost.add(tab.session)
        world.journal.lost += 1
    return lost or (engine == "cache" and world.hit_between(since, ("redis",), grace=2))


# What must be true


async def watch_limits(world: World) -> None:
    """Look at random moments whether a user has too many sessions."""
    while True:
        await asyncio.sleep(random.uniform(0.1, 0.5))
        with suppress(psycopg.Error):
            for user, slot, count in await world.database.over_limit(world.plan.limit):
                world.journal.violation(f"user {user} has {count} live sessions in {slot!r}")
            world.journal.checks += 1


async def watch_browsers(world: World, people: list[Person]) -> None:
    """Look at random moments whether a browser that is there is taken for gone."""
    gone = (
        "SELECT id FROM live_single_session_usersession WHERE ended_at IS NULL "
        f"AND present_until < now() - interval '{world.away_seconds} seconds'"
    )
    while True:
        await asyncio.sleep(random.uniform(0.2, 1))
        steady = time.monotonic() - world.away_seconds / 2
        there = {
            tab.session: tab.visitor.user
            for tab in (person.visitor.tab for person in people)
            if tab is not None and tab.is_open and tab.open_since < steady
        }
        with suppress(psycopg.Error):
            for (session_id,) in await world.database.query(gone):
                if str(session_id) in there:
                    world.journal.violation(f"a browser of {there[str(session_id)]} is there")
            world.journal.checks += 1


async def check_shared(world: World) -> None:
    """Nobody's session was ever taken for one that two browsers use."""
    shared = await world.database.query(
        "SELECT count(*) FROM live_single_session_usersession WHERE shared_at IS NOT NULL"
    )
    if shared[0][0]:
        world.journal.violation(f"{shared[0][0]} sessions were found shared")


async def try_dead_cookies(world: World, people: list[Person]) -> None:
    """Try at random moments whether an ended session still opens anything."""
    client = world.client(10)
    try:
        while True:
            await _try_dead_cookie(world, random.choice(people), client)
    finally:
        client.close()


async def _try_dead_cookie(world: World, person: Person, client: HttpClient) -> None:
    await asyncio.sleep(random.uniform(0.1, 0.5))
    if not person.cookies:
        return
    cookie, began = random.choice(person.cookies), time.monotonic()
    try:
        row = await world.database.of_cookie(cookie)
        if row is None or row.live:
            return
        client.cookies = {"sessionid": cookie}
        answer = await client.get(random.choice(world.ports), "/async/whoami/")
    except (psycopg.Error, OSError, TimeoutError):
        return
    world.journal.checks += 1
    if answer.status == 200 and answer.json()["user"] is not None:
        grace = world.plan.recheck_seconds + 2
        if world.plan.engine != "db" and world.hit_between(began, ("redis",), grace):
            world.journal.unsure += 1  # its cache is away, and so are the marks in it
        else:
            world.journal.violation(f"the ended session {row} opened a page")


async def settle(world: World, people: list[Person], lives: "asyncio.Future[Any]") -> None:
    """After the recovery: everybody learns the truth in time, even while they sign in."""
    recovered = last_login = time.monotonic()
    while True:
        if not lives.done():
            last_login = time.monotonic()
        left = await ignorant(world, people)
        now = time.monotonic()
        if not left and world.journal.seconds_until_all_knew is None:
            world.journal.seconds_until_all_knew = now - recovered
        # A handshake that a fault has left hanging is given up after 10 s.
        patience = world.plan.patience
        deadline = max(recovered + 12 * patience, last_login)
        deadline += world.plan.recheck_seconds * patience
        if lives.done() and (not left or now > deadline):
            break
        await asyncio.sleep(0.1)
    await lives  # or what one of them has raised
    for text in left:
        world.journal.violation(f"{now - recovered:.0f} s after the recovery {text}")


async def ignorant(world: World, people: list[Person]) -> list[str]:
    """Who doesn't know the truth: was not told, or can't be."""
    rows = {str(row.id): row for row, _ in await world.database.rows()}
    found = []
    for tab in (tab for person in people for tab in person.tabs if tab.told is None):
        row, user = rows.get(tab.session or ""), tab.visitor.user
        if row is None:
            found.append(f"a tab of {user} has not connected: {tab.codes}")
        elif not row.live:
            found.append(f"a tab of {user} was not told: {row}")
        elif not tab.is_open:
            found.append(f"a tab of {user} is not connected: {tab.codes}")
    return found


async def check_cookies(world: World, people: list[Person]) -> None:
    """Try the cookies that there were, at each node: the last ones, and many of the others."""
    known: dict[str | None, Row] = {}
    for row, key_digest in await world.database.rows():
        known |= {str(row.id): row, key_digest: row}
    last = {person.visitor.cookie: person.visitor.tab for person in people}
    last.pop(None, None)
    earlier = list({cookie for person in people for cookie in person.cookies} - last.keys())
    random.shuffle(earlier)
    turns = asyncio.Semaphore(8)

    async def attempt(cookie: str, port: int) -> None:
        client = world.client(cookies={"sessionid": cookie})
        async with turns:
            answer = await client.get(port, "/async/whoami/")
        client.close()
        user = answer.json()["user"] if answer.status == 200 else answer.status
        row = known.get(id_in(cookie) if is_signed(cookie) else digest(cookie))
        live = row is not None and row.live
        if user is not None and not live:
            world.journal.violation(f"at the end {row} still opens a page: {user}")
        if live and cookie in last and user is None:
            tab = last[cookie]
            if tab is None or not await is_excused(world, tab, time.monotonic()):
                world.journal.violation(f"at the end the live {row} opens nothing")

    async with asyncio.TaskGroup() as tasks:
        for cookie in [*last, *earlier[:100]]:
            for port in world.ports:
                tasks.create_task(attempt(cookie, port))


async def sessions_that_authenticate(world: World, people: list[Person]) -> None:
    """Not more browsers of a user are signed in than may be, whatever the rows say."""
    client = world.client()
    signed_in: Counter[str] = Counter()
    for person in people:
        if person.visitor.cookie is not None:
            client.cookies = {"sessionid": person.visitor.cookie}
            answer = await client.get(world.ports[0], "/async/whoami/")
            user = answer.json()["user"] if answer.status == 200 else None
            signed_in[person.visitor.user] += user is not None
    for user, number in signed_in.items():
        if number > world.plan.limit:
            world.journal.violation(f"at the end {user} is signed in in {number} browsers")
    client.close()


@dataclass
class Traceback:
    """A traceback in a log, with those that it is chained to."""

    place: int
    ends: list[str] = field(default_factory=list)
    text: str = ""

    @property
    def kind(self) -> str | None:
        """What kind of fault explains it, if any does."""
        last = self.ends[-1]
        if BOTH_READ.match(last) and "channels_redis/pubsub.py" in self.text:
            return "redis"
        if SLOW_TO_LEAVE.match(last) and "await shard.unsubscribe(channel)" in self.text:
            return "redis"
        if UNSAVED.match(last):
            last = self.ends[0]
        return next((kind for kind, end in EXPLAINED.items() if end.match(last)), None)


def tracebacks_in(log: str) -> list[Traceback]:
    """Find the tracebacks; one that a killed process did not finish is none."""
    found: list[Traceback] = []
    place = 0
    inside = chained = False
    for line in log.splitlines(keepends=True):
        if "Traceback (most recent call last)" in line:
            if not chained:
                found.append(Traceback(place))
            inside, chained = True, False
            if "Exception Group" in line:  # nothing of ours, nor of a fault
                found[-1].ends.append(line.strip())
        elif inside and not line.startswith((" ", "\t", "\n")):
            inside = False
            if re.match(r"[A-Za-z_][\w.]*(:|$)", line):
                found[-1].ends.append(line.strip())
        elif line.startswith(("During handling of the above", "The above exception was")):
            chained = True
        elif line.strip() and not inside:
            chained = False
        if found and inside:
            found[-1].text += line
        place += len(line)
    return [traceback for traceback in found if traceback.ends]


def is_of_cleaner(log: str, place: int) -> bool:
    """Whether what is logged there is how a task of channels_redis has failed some time ago."""
    line = log.rfind("\n", 0, place - 1)
    return line >= 0 and CLEANER.match(log, line) is not None


def check_logs(world: World, calm: list[int]) -> Counter[str]:
    """No traceback that a fault does not explain, and none once there are no faults."""
    ends: Counter[str] = Counter()
    for number, node in enumerate(world.nodes):
        log = node.log
        for traceback in tracebacks_in(log):
            last, kind = traceback.ends[-1], traceback.kind
            ends[last.partition(":")[0]] += 1
            if kind == "redis" and is_of_cleaner(log, traceback.place):
                continue  # it failed when nobody knows: this is when it was collected
            if traceback.place >= calm[number]:
                world.journal.violation(f"a traceback in the calm afterwards: {last}")
            elif kind is None or not world.explains(kind, number, traceback.place):
                world.journal.violation(f"a traceback that no fault explains: {traceback.ends}")
        for neglected in NEGLECT.finditer(log):
            if not CLEANER.match(log, neglected.end()):
                world.journal.violation(f"neglected: {neglected[0]}")
    return ends


async def clock_the_news(world: World, people: list[Person]) -> None:
    """How long after its login was sent did a tab hear that it had been superseded?"""
    tabs = {tab.session: tab for person in people for tab in person.tabs if tab.session}
    rows = await world.database.query(
        "SELECT id, replaced_by_id FROM live_single_session_usersession "
        "WHERE end_reason = 'superseded'"
    )
    for old, new in rows:
        tab, newer = tabs.get(str(old)), tabs.get(str(new))
        if tab and newer and tab.told is not None:
            world.journal.seconds_to_tell.append(tab.told_at - newer.login_sent_at)


async def check_hearing(world: World, people: list[Person]) -> None:
    """Is everybody in touch again, or deaf for good? Only a push can tell what is not true."""
    from live_single_session.realtime.push import MESSAGE_TYPE, group_of

    tabs = {p.visitor.tab for p in people if p.visitor.tab and p.visitor.tab.told is None}
    names = dict(await world.database.query("SELECT username, id FROM auth_user"))
    kind: Any = RedisChannelLayer if world.plan.layer == "redis" else RedisPubSubChannelLayer
    layer = kind(hosts=[world.redis.url])
    deadline = time.monotonic() + 10 * world.plan.patience
    while tabs and time.monotonic() < deadline:
        for tab in tabs:
            notice = {"session": tab.session, "reason": "revoked"}
            message = {"type": MESSAGE_TYPE, "version": 1, "ended": [notice]}
            await layer.group_send(group_of(names[tab.visitor.user], "default"), message)
        await asyncio.sleep(0.3)
        tabs = {tab for tab in tabs if tab.told is None}
    for tab in tabs:
        world.journal.violation(f"a tab of {tab.visitor.user} is deaf")
    await (layer.close_pools() if hasattr(layer, "close_pools") else layer.flush())


async def inside(world: World) -> list[dict[str, Any]]:
    """What each node holds on to, once nobody is connected."""
    client = world.client()
    found = []
    for port, link in zip(world.ports, world.links, strict=True):
        answer = await client.get(port, "/inside/")
        found.append(answer.json() | {"connections to Redis": link.connections})
        client.close()
    return found


async def run(plan: Plan) -> Report:
    """Let everything fail for a while, heal it, and check."""
    random.seed(plan.seed)
    world = World(plan)
    report = Report(asdict(plan), world.journal)
    with ExitStack() as stack:
        await asyncio.to_thread(world.start, stack)
        try:
            await _run(world, report)
        finally:
            report.log = "\n".join(node.log for node in world.nodes)
            await world.database.close()
    return report


async def _run(world: World, report: Report) -> None:
    plan = world.plan
    is_strict = plan.patience == 1  # about logs and speed, in which a busy machine has a part
    people = [
        Person(world, name_of(user)) for user in range(plan.users) for _ in range(plan.browsers)
    ]
    world.journal.began = time.monotonic()
    lives = asyncio.gather(*(person.live() for person in people))
    await asyncio.sleep(min(5.0, plan.seconds / 4))  # warm
    report.before = await inside(world)
    witnesses = [
        asyncio.create_task(watch_limits(world)),
        asyncio.create_task(try_dead_cookies(world, people)),
    ]
    if plan.watches_browsers:
        witnesses.append(asyncio.create_task(watch_browsers(world, people)))
    until = time.monotonic() + plan.seconds
    await world.fail(until)
    world.is_over = True
    await settle(world, people, lives)
    for witness in witnesses:
        if witness.done():
            await witness  # it has failed
        await gone(witness)
    for person in people:  # they stopped at any moment
        for tab in person.tabs:
            if tab.told is not None and not tab.heeded:
                await person.check_farewell(tab)
    calm = [len(node.log) for node in world.nodes]
    await check_cookies(world, people)
    await sessions_that_authenticate(world, people)
    await watch_once(world)
    await check_shared(world)
    if is_strict:
        check_speed(world)
    await clock_the_news(world, people)
    await check_hearing(world, people)
    await leave(world, people, report)
    world.mark()
    if is_strict:
        report.tracebacks = dict(check_logs(world, calm))


def check_speed(world: World) -> None:
    """Telling costs a login little, whatever the layer does: a slow machine may cost more."""
    for began, took in world.journal.unhindered_logins:
        beside = (
            until - since
            for since, until in world.journal.answers
            if since < began + took and until > began
        )
        if took > world.plan.push_timeout_seconds + 2 + max(beside, default=0.0):
            at = began - world.journal.began
            world.journal.violation(f"a login at {at:.1f} s took {took:.1f} s")


async def watch_once(world: World) -> None:
    for user, slot, count in await world.database.over_limit(world.plan.limit):
        world.journal.violation(f"at the end user {user} has {count} sessions in {slot!r}")
    unfinished = await world.database.query(
        "SELECT count(*) FROM live_single_session_usersession "
        "WHERE ended_at IS NOT NULL AND session_key <> ''"
    )
    world.journal.unfinished = unfinished[0][0]


async def leave(world: World, people: list[Person], report: Report) -> None:
    """Close all tabs, and see what is left of them in the nodes."""
    for person in people:
        for tab in person.tabs:
            await gone(tab.task)
        person.visitor.http.close()
    # Where browsers are watched, one that has left is waited for until it may be elsewhere.
    seconds = 20 if world.plan.watches_browsers else 5
    deadline = time.monotonic() + seconds * world.plan.patience
    while True:
        report.after = await inside(world)
        if not any(map(too_much, report.after)) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    for number, node in enumerate(report.after):
        for what in too_much(node):
            world.journal.violation(f"node {number} holds on to {what}: {node}")


def too_much(node: dict[str, Any]) -> list[str]:
    """What an idle node has more of than it needs, however long it was in use."""
    return [what for what, most in IDLE.items() if node[what] > most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--layer", default="pubsub")
    parser.add_argument("--engine", default="db", choices=ENGINES)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--faults", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--watches-browsers", action="store_true")
    parser.add_argument("--log", help="where to leave the nodes' logs")
    options = vars(parser.parse_args())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    log = options.pop("log")
    report = asyncio.run(run(Plan(**options)))
    if log:
        with open(log, "w") as file:
            file.write(report.log)
    print(json.dumps(report.as_json(), indent=1))


if __name__ == "__main__":
    main()
