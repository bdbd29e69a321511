"""People at two nodes while everything under them fails at random; then the truth is checked.

python -m tests.evidence.chaos --seconds 60 --layer pubsub --engine db --limit 1
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
from typing import Any

import django
import psycopg
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from tests.evidence.crowd import gather, name_of
from tests.evidence.http import HttpClient
from tests.evidence.proxy import Proxy
from tests.evidence.visitors import Visitor
from tests.evidence.witness import (
    Database,
    Journal,
    Row,
    digest,
    gone,
    id_in,
    is_signed,
    quantiles,
)
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.packages import find
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ENGINES = {
    "db": "django.contrib.sessions.backends.db",
    "cached_db": "live_single_session.backends.cached_db",
    "cache": "live_single_session.backends.cache",
    "signed_cookies": "live_single_session.backends.signed_cookies",
}
# How a log may end a traceback: the server that a fault took away, and nothing else.
EXPLAINED = re.compile(
    r"""(
      django\.db\.utils\.(OperationalError|InterfaceError)
    | psycopg\.(OperationalError|InterfaceError|errors\.AdminShutdown|errors\.\w*Connection\w*)
    | redis\.exceptions\.(ConnectionError|TimeoutError|BusyLoadingError)
    | ConnectionResetError | ConnectionRefusedError | BrokenPipeError
    | django\.core\.exceptions\.RequestAborted
    )""",
    re.VERBOSE,
)


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
    fault_seconds: tuple[float, float] = (0.3, 2.5)
    pause_seconds: tuple[float, float] = (0.5, 4)  # after a fault; two at a time come
    wrong_clock: bool = True


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
        self.calm = False
        self.database: Database

    @property
    def ports(self) -> list[int]:
        return [node.port for node in self.nodes]

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
                },
            }
            if self.plan.layer == "redis":  # as the system checks ask for
                host = {"address": link.url, "socket_timeout": 15}
                env["CHANNEL_LAYER_CONFIG"] = {"hosts": [host], "capacity": 2000}
            if number == 1 and self.plan.wrong_clock:
                env |= wrong_clock(random.choice([-3600, 3600, 100_000]))
            node = Daphne("tests.evidence.asgi:application", env)
            stack.callback(node.close)
            node.start()
            self.nodes.append(node)

    # Faults

    def hit_between(self, began: float, kinds: tuple[str, ...], grace: float = 0.0) -> bool:
        """Whether a fault of one of these kinds was there at some time since then."""
        now = time.monotonic()
        return any(
            first <= now and last + grace >= began
            for kind in kinds
            for first, last in self.hits.get(kind, [])
        )

    @asynccontextmanager
    async def fault(self, kind: str, target: str, what: str) -> AsyncIterator[None]:
        """Hold a target; whatever happens meanwhile is explained by this fault."""
        async with self.locks.setdefault(target, asyncio.Lock()):
            began = time.monotonic()
            period = (began, float("inf"))
            self.hits.setdefault(kind, []).append(period)
            self.journal.faults.append(f"{began - self.journal.began:.1f} {what}")
            try:
                yield
            finally:
                self.hits[kind].remove(period)
                self.hits[kind].append((began, time.monotonic()))

    def _some_time(self) -> Awaitable[None]:
        return asyncio.sleep(random.uniform(*self.plan.fault_seconds))

    async def redis_killed(self) -> None:
        async with self.fault("redis", "redis", "Redis killed"):
            await asyncio.to_thread(self.redis.kill)
            await self._some_time()
            await asyncio.to_thread(self.redis.restart)

    async def redis_paused(self) -> None:
        async with self.fault("redis", "redis", "Redis paused"):
            self.redis.pause()
            await self._some_time()
            self.redis.resume()

    async def redis_flushed(self) -> None:
        async with self.fault("redis", "redis", "Redis flushed"):
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
        number = random.randrange(2)
        async with self.fault("node", f"node {number}", "node killed with -9"):
            await asyncio.to_thread(self.nodes[number].kill)
            await self._some_time()
            await asyncio.to_thread(self.nodes[number].restart)

    async def node_restarted(self) -> None:
        number = random.randrange(2)
        async with self.fault("node", f"node {number}", "node restarted in order"):
            await asyncio.to_thread(self.nodes[number].restart)

    async def link_slow(self) -> None:
        number = random.randrange(2)
        async with self.fault("redis", f"link {number}", "network to Redis slow"):
            self.links[number].delay = random.choice([0.02, 0.1, 0.4])
            await self._some_time()
            self.links[number].delay = 0.0

    async def link_silent(self) -> None:
        number = random.randrange(2)
        async with self.fault("redis", f"link {number}", "network to Redis silent"):
            self.links[number].silent = True
            await self._some_time()
            self.links[number].silent = False

    async def link_cut(self) -> None:
        number = random.randrange(2)
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

    async def fail_at_random(self, until: float) -> None:
        wanted = self.plan.faults or tuple(self.faults)
        order: list[str] = []
        while time.monotonic() < until:
            if not order:  # each of them comes up
                order = random.sample(wanted, len(wanted))
            await self.faults[order.pop()]()
            await asyncio.sleep(random.uniform(*self.plan.pause_seconds))


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
        self.visitor = Visitor(user, world.ports)
        self.cookies: list[str] = []  # all that this browser ever had
        self.tabs: list[Any] = []

    async def live(self) -> None:
        while True:
            tab = self.visitor.tab
            if tab is None or tab.told is not None:
                if tab is not None:
                    await self._check_farewell(tab)
                await asyncio.sleep(random.uniform(0.2, 4))
                await self._sign_in()
            elif random.random() < 0.08:
                await self._request("/async/rotate/")
                self.journal.rotations += 1
            else:
                await self._request("/async/whoami/")
            await asyncio.sleep(random.uniform(0.05, 0.6))

    async def _sign_in(self) -> None:
        visitor, began = self.visitor, time.monotonic()
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
        most = self.world.plan.push_timeout_seconds + 4  # a busy machine
        if took > most and not self.world.hit_between(
            began, ("postgres", "node", *self._cache), grace=2
        ):
            self.journal.violation(f"a login took {took:.1f} s")
        self._note_cookie()
        # The page that follows names the session: it is looked up here instead.
        row = await self.world.database.patient(
            self.world.database.of_cookie, visitor.cookie or ""
        )
        if row is None:
            self.journal.violation(f"a login of {visitor.user} has left no session")
            return
        tab = visitor.open_tab(str(row.id))
        tab.login_sent_at = began
        self.tabs.append(tab)

    async def _request(self, path: str) -> None:
        """Nobody who is signed in is ever taken for somebody who is not."""
        visitor, tab, began = self.visitor, self.visitor.tab, time.monotonic()
        cookie = visitor.cookie
        try:
            answer = await visitor.http.get(visitor.any_port(), path)
        except (OSError, TimeoutError):
            self.journal.unsure += 1
            return
        finally:
            self._note_cookie()
        self.journal.requests += 1
        user = answer.json().get("user") if answer.status == 200 else None
        if user == visitor.user:
            return
        if answer.status >= 500 and self.world.hit_between(
            began, ("postgres", "node", *self._cache), grace=2
        ):
            self.journal.unsure += 1
            return
        database = self.world.database
        row = await database.patient(database.of_session, tab.session)
        if self.world.plan.engine == "cache" and self.world.hits.get("redis"):
            return  # the same
        if row is None or row.live:
            what = f"{path} answered {answer.status} {answer.body[:90]!r} to {visitor.user}"
            self.journal.violation(
                f"{what}, whose session is {row}, with {cookie and 1} cookie"
            )

    @property
    def _cache(self) -> tuple[str, ...]:
        """A site whose sessions are in Redis needs it: Django's own engines do."""
        return () if self.world.plan.engine == "db" else ("redis",)

    async def _check_farewell(self, tab: Any) -> None:
        """Nobody is told wrongly."""
        self.journal.told += 1
        row = await self.world.database.patient(self.world.database.of_session, tab.session)
        reason = tab.told["reason"]
        if self.world.plan.engine == "cache" and reason in ("not_signed_in", "expired"):
            return  # its cache was flushed, or is away
        if row is None or row.live or row.reason != reason:
            self.journal.violation(f"a tab of {self.visitor.user} was told {reason} of {row}")

    def _note_cookie(self) -> None:
        cookie = self.visitor.cookie
        if cookie and (not self.cookies or self.cookies[-1] != cookie):
            self.cookies.append(cookie)
        tab = self.visitor.tab
        if tab is not None:
            tab.cookie_header = self.visitor.http.cookie_header


# What must be true


async def watch_limits(world: World) -> None:
    """Look at random moments whether a user has too many sessions."""
    while True:
        await asyncio.sleep(random.uniform(0.1, 0.5))
        with suppress(psycopg.Error):
            for user, slot, count in await world.database.over_limit(world.plan.limit):
                world.journal.violation(f"user {user} has {count} live sessions in {slot!r}")
            world.journal.checks += 1


async def try_dead_cookies(world: World, people: list[Person]) -> None:
    """Try at random moments whether an ended session still opens anything."""
    client = HttpClient(timeout=10)
    while True:
        await asyncio.sleep(random.uniform(0.1, 0.5))
        person = random.choice(people)
        if not person.cookies:
            continue
        cookie, began = random.choice(person.cookies), time.monotonic()
        try:
            row = await world.database.of_cookie(cookie)
            if row is None or row.live:
                continue
            client.cookies = {"sessionid": cookie}
            answer = await client.get(random.choice(world.ports), "/async/whoami/")
        except (psycopg.Error, OSError, TimeoutError):
            continue
        world.journal.checks += 1
        if answer.status == 200 and answer.json()["user"] is not None:
            grace = world.plan.recheck_seconds + 2
            if world.plan.engine != "db" and world.hit_between(began, ("redis",), grace):
                world.journal.unsure += 1  # its cache is away, and so are the marks in it
            else:
                world.journal.violation(f"the ended session {row} opened a page")


async def settle(world: World, people: list[Person]) -> None:
    """After the recovery: everybody learns the truth in time."""
    recovered = time.monotonic()
    patience = 60  # of a busy machine; how long it took is in the report
    rows: dict[str, Any] = {}

    def ignorant() -> list[str]:
        found = []
        for person in people:
            tab = person.visitor.tab
            if tab is None:
                continue
            row = rows.get(tab.session or "")
            if row is None and tab.told is None:
                found.append(f"a tab of {person.visitor.user} has not connected: {tab.codes}")
            elif row is not None and not row.live and tab.told is None:
                found.append(f"a tab of {person.visitor.user} was not told: {row}")
            elif row is not None and row.live and tab.told is not None:
                found.append(f"a tab of {person.visitor.user} was told {tab.told}: {row}")
            elif row is not None and row.live and not tab.is_open:
                found.append(f"a tab of {person.visitor.user} is not connected: {tab.codes}")
        return found

    while True:
        known = {str(row.id): row for row, _ in await world.database.rows()}
        rows.clear()
        rows.update(known)
        left = ignorant()
        if not left:
            took = time.monotonic() - recovered
            world.journal.seconds_until_all_knew = took
            return
        if time.monotonic() > recovered + patience:
            for text in left:
                world.journal.violation(f"{patience} s after the recovery {text}")
            return
        await asyncio.sleep(0.1)


async def check_cookies(world: World, people: list[Person]) -> None:
    """Try the cookies that there were, at each node: the last ones, and many of the others."""
    known: dict[str | None, Row] = {}
    for row, key_digest in await world.database.rows():
        known |= {str(row.id): row, key_digest: row}
    last = {person.visitor.cookie for person in people if person.visitor.cookie}
    earlier = list({cookie for person in people for cookie in person.cookies} - last)
    random.shuffle(earlier)
    turns = asyncio.Semaphore(8)

    async def attempt(cookie: str, port: int) -> None:
        client = HttpClient(cookies={"sessionid": cookie})
        async with turns:
            answer = await client.get(port, "/async/whoami/")
        client.close()
        user = answer.json()["user"] if answer.status == 200 else answer.status
        row = known.get(id_in(cookie) if is_signed(cookie) else digest(cookie))
        live = row is not None and row.live
        if user is not None and not live:
            world.journal.violation(f"at the end {row} still opens a page: {user}")
        if live and cookie in last and user is None and world.plan.engine != "cache":
            world.journal.violation(f"at the end the live {row} opens nothing")

    async with asyncio.TaskGroup() as tasks:
        for cookie in [*last, *earlier[:100]]:
            for port in world.ports:
                tasks.create_task(attempt(cookie, port))


async def sessions_that_authenticate(world: World, people: list[Person]) -> None:
    """Not more browsers of a user are signed in than may be, whatever the rows say."""
    client = HttpClient()
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


def tracebacks_in(log: str) -> Counter[str]:
    """How the tracebacks in a log end; those of one chain are one, by the first explained."""
    ends: Counter[str] = Counter()
    chain: list[str] = []
    inside = chained = False
    for line in log.splitlines():
        text = line.strip()
        if text.startswith("Traceback (most recent call last)"):
            if chain and not chained:
                ends[_of_chain(chain)] += 1
                chain = []
            inside, chained = True, False
        elif inside and line and not line.startswith((" ", "\t", "+", "|")):
            match = re.match(r"[\w.]+", text)
            chain.append(match.group() if match else text[:80])
            inside = False
        elif text.startswith(("During handling of the above", "The above exception was")):
            chained = True
    if chain:
        ends[_of_chain(chain)] += 1
    return ends


def _of_chain(chain: list[str]) -> str:
    return next((end for end in chain if EXPLAINED.match(end)), chain[-1])


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
    from live_single_session.push import MESSAGE_TYPE, group_of

    tabs = {p.visitor.tab for p in people if p.visitor.tab and p.visitor.tab.told is None}
    names = dict(await world.database.query("SELECT username, id FROM auth_user"))
    kind: Any = RedisChannelLayer if world.plan.layer == "redis" else RedisPubSubChannelLayer
    layer = kind(hosts=[world.redis.url])
    deadline = time.monotonic() + 10
    while tabs and time.monotonic() < deadline:
        for tab in tabs:
            farewell = {"session": tab.session, "reason": "revoked"}
            message = {"type": MESSAGE_TYPE, "version": 1, "ended": [farewell]}
            await layer.group_send(group_of(names[tab.visitor.user], "default"), message)
        await asyncio.sleep(0.3)
        tabs = {tab for tab in tabs if tab.told is None}
    for tab in tabs:
        world.journal.violation(f"a tab of {tab.visitor.user} is deaf")
    await (layer.close_pools() if hasattr(layer, "close_pools") else layer.flush())


async def inside(world: World) -> list[dict[str, Any]]:
    """What each node holds on to, once nobody is connected."""
    client = HttpClient()
    found = []
    for port in world.ports:
        answer = await client.get(port, "/inside/")
        found.append(answer.json())
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
    people = [
        Person(world, name_of(user)) for user in range(plan.users) for _ in range(plan.browsers)
    ]
    world.journal.began = time.monotonic()
    lives = [asyncio.create_task(person.live()) for person in people]
    await asyncio.sleep(min(5.0, plan.seconds / 4))  # warm
    report.before = await inside(world)
    witnesses = [
        asyncio.create_task(watch_limits(world)),
        asyncio.create_task(try_dead_cookies(world, people)),
    ]
    until = time.monotonic() + plan.seconds
    await asyncio.gather(world.fail_at_random(until), world.fail_at_random(until))
    # Healed: they go on for a moment, and then stop signing in.
    await asyncio.sleep(1)
    for task in [*lives, *witnesses]:
        if task.done() and task.exception():
            raise task.exception()  # type: ignore[misc]
        await gone(task)
    await settle(world, people)
    calm = [len(node.log) for node in world.nodes]
    await check_cookies(world, people)
    await sessions_that_authenticate(world, people)
    await watch_once(world)
    await clock_the_news(world, people)
    await check_hearing(world, people)
    await leave(world, people, report)
    ends: Counter[str] = Counter()
    for node, last in zip(world.nodes, calm, strict=True):
        ends += tracebacks_in(node.log)
        for end in tracebacks_in(node.log[last:]):
            world.journal.violation(f"a traceback in the calm afterwards: {end}")
    for end in ends:
        if not EXPLAINED.match(end):
            world.journal.violation(f"a traceback that no fault explains: {end}")
    report.tracebacks = dict(ends)


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
    for _ in range(50):
        report.after = await inside(world)
        if all(node["watched"] == 0 and node["tasks"] < 12 for node in report.after):
            break
        await asyncio.sleep(0.1)
    for number, node in enumerate(report.after):
        if node["watched"] or node["groups"] or node["tasks"] >= 12:
            world.journal.violation(f"node {number} holds on to {node}")
        if node["files"] > 80 or node["threads"] > 40:
            world.journal.violation(f"node {number} has many files or threads: {node}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--layer", default="pubsub")
    parser.add_argument("--engine", default="db", choices=ENGINES)
    parser.add_argument("--limit", type=int, default=1)
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--faults", type=lambda text: tuple(text.split(",")), default=())
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
