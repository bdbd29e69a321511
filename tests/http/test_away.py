"""`AWAY_SECONDS`: a session whose browser is gone locks nobody out."""

import asyncio
import os
import signal
import time
import uuid
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone
from playwright.async_api import async_playwright

from live_single_session import policy as rules
from live_single_session.http import sights
from live_single_session.models import EndReason, UserSession
from live_single_session.registry import presence, uses
from tests.helpers.browsers import API, PAGE, SAFARI, Browser, reasons, who
from tests.helpers.front import Front
from tests.helpers.people import people
from tests.helpers.visitor import Visitor
from tests.servers.chromium import launch_chromium
from tests.servers.waiting import await_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]

AWAY = 600
CHOOSE = "/session/choose/"


@pytest.fixture(autouse=True)
def _refuse(policy, alice, bob):
    sights.memory.clear()
    policy(ON_LIMIT="refuse", AWAY_SECONDS=AWAY)


def left(browser, seconds):
    """Let somebody's browser be gone for so long; a negative time: it is there."""
    until = timezone.now() - timedelta(seconds=seconds)
    UserSession.objects.filter(pk=browser.session_id).update(present_until=until)
    sights.memory.clear()


@pytest.mark.parametrize("mode", ["refuse", "ask"])
def test_a_browser_that_is_gone_gives_way(mode, laptop, phone, policy):
    policy(ON_LIMIT=mode, AWAY_SECONDS=AWAY)
    laptop.sign_in()
    left(laptop, AWAY + 1)
    assert phone.try_to_sign_in().status_code == 200
    assert who(laptop, phone) == [None, "alice"]
    old, new = UserSession.objects.order_by("serial")
    assert (old.end_reason, old.replaced_by) == (EndReason.SUPERSEDED, new)


@pytest.mark.parametrize("gone", [AWAY - 5, 0, -60, None])
@pytest.mark.parametrize("mode", ["refuse", "ask"])
def test_one_that_is_there_or_left_lately_or_never_had_a_socket_stays(
    mode, gone, laptop, phone, policy
):
    policy(ON_LIMIT=mode, AWAY_SECONDS=AWAY)
    laptop.sign_in()
    if gone is not None:
        left(laptop, gone)
    assert phone.try_to_sign_in().status_code == 409
    assert who(laptop, phone) == ["alice", None]


def test_as_many_give_way_as_have_to_and_those_that_left_first(policy):
    policy(LIMIT=None)
    browsers = [Browser.signed_in() for _ in range(4)]
    for browser, gone in zip(browsers, (AWAY + 1, AWAY + 60, -60, AWAY + 30), strict=True):
        left(browser, gone)
    policy(LIMIT=4, ON_LIMIT="refuse", AWAY_SECONDS=AWAY)
    newcomer = Browser.signed_in()
    assert who(*browsers, newcomer) == ["alice", None, "alice", "alice", "alice"]
    for browser in (browsers[0], browsers[3]):  # which have just made a request
        left(browser, AWAY + 1)
    policy(LIMIT=3, ON_LIMIT="refuse", AWAY_SECONDS=AWAY)
    assert Browser().try_to_sign_in().status_code == 200
    assert reasons() == ["superseded", "superseded", "", "superseded", "", ""]


def test_where_too_few_are_gone_nobody_gives_way(policy):
    policy(LIMIT=None)
    browsers = [Browser.signed_in() for _ in range(3)]
    left(browsers[0], AWAY + 1)
    policy(LIMIT=2, ON_LIMIT="refuse", AWAY_SECONDS=AWAY)
    assert Browser().try_to_sign_in().status_code == 409
    assert reasons() == ["", "", ""]


@pytest.mark.parametrize("mode", ["refuse", "ask"])
def test_off_nobody_gives_way(mode, laptop, phone, policy):
    policy(ON_LIMIT=mode)
    laptop.sign_in()
    left(laptop, 10 * AWAY)
    assert phone.try_to_sign_in().status_code == 409


def test_what_was_used_since_is_not_gone(laptop, phone, policy):
    policy(ON_LIMIT="refuse", AWAY_SECONDS=AWAY, ACTIVITY_SECONDS=60)
    laptop.sign_in()
    left(laptop, AWAY + 60)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=AWAY - 30))
    assert phone.try_to_sign_in().status_code == 409


def test_a_reading_of_the_rule():
    now = timezone.now()

    def away(until, seen=None, seconds=AWAY):
        def ago(value):
            return None if value is None else now - timedelta(seconds=value)

        row = UserSession(present_until=ago(until), last_seen_at=ago(seen))
        return rules.is_away(row, now, seconds)

    assert away(AWAY)
    assert away(AWAY, seen=AWAY + 1)
    assert not away(AWAY, seen=AWAY - 1)
    assert not away(AWAY - 1)
    assert not away(-1)
    assert not away(None)
    assert not away(None, seen=AWAY)
    assert not away(AWAY, seconds=None)


# Requests and polls


@pytest.mark.parametrize("path", ["/private/", "/whoami/", "/session/status/"])
def test_inv9_whose_requests_are_seen_is_not_gone(path, laptop, phone):
    laptop.sign_in()
    left(laptop, AWAY + 1)
    laptop.get(path)
    assert phone.try_to_sign_in().status_code == 409
    assert laptop.who() == "alice"


def test_a_request_is_written_down_once_in_a_third_of_the_time(
    laptop, monkeypatch, django_assert_num_queries
):
    now = 1000.0
    monkeypatch.setattr(uses.time, "monotonic", lambda: now)
    laptop.sign_in()
    sights.memory.clear()
    seen = []
    monkeypatch.setattr(presence, "see", seen.append)
    for _ in range(5):
        laptop.who()
    now += AWAY / 3
    for _ in range(5):
        laptop.who()
    assert len(seen) == 2


def test_who_has_a_websocket_here_is_not_written_down_by_requests(laptop, monkeypatch):
    laptop.sign_in()
    seen = []
    monkeypatch.setattr(presence, "see", seen.append)
    monkeypatch.setitem(presence.connected, uuid.UUID(laptop.session_id), 1)
    sights.memory.clear()
    laptop.who()
    assert seen == []


def test_what_can_t_be_written_down_harms_no_request(laptop, monkeypatch, caplog):
    laptop.sign_in()
    sights.memory.clear()
    monkeypatch.setattr(presence, "see", lambda session_id: 1 / 0)
    assert laptop.who() == "alice"
    assert "was seen could not be recorded" in caplog.text


def test_inv8_off_requests_cost_nothing(laptop, policy, monkeypatch):
    policy(ON_LIMIT="refuse")
    laptop.sign_in()
    seen = []
    monkeypatch.setattr(presence, "see", seen.append)
    laptop.who()
    assert seen == []


# What the pages say


def test_the_pages_say_who_is_there(laptop, phone, policy):
    policy(LIMIT=None, AWAY_SECONDS=AWAY)
    third = Browser.signed_in()
    for browser in (laptop, phone):
        browser.sign_in()
    left(laptop, 300)
    left(phone, -60)
    page = third.get("/session/", headers=PAGE).text.replace("\xa0", " ")
    assert "left 5 minutes ago" in page
    assert page.count("open now") == 1
    told = third.get("/session/", headers=API).json()["sessions"]
    assert [entry["open"] for entry in told] == [None, True, False]
    assert told[2]["left_at"] is not None

    policy(LIMIT=2, ON_LIMIT="ask", AWAY_SECONDS=AWAY)
    newcomer = Browser()
    newcomer.fill_in()
    page = newcomer.get(CHOOSE, headers=PAGE).text.replace("\xa0", " ")
    assert "left 5 minutes ago" in page
    assert "open now" in page

    policy(LIMIT=None)
    page = third.get("/session/", headers=PAGE).text
    assert "open now" not in page
    assert "left" not in page


def test_the_admin_says_it_too(laptop, carol, policy):
    policy(LIMIT=None, AWAY_SECONDS=AWAY)
    laptop.sign_in()
    left(laptop, 300)
    staff = Browser()
    staff.force_login(carol)
    table = "/admin/live_single_session/usersession/"
    assert "left 5 minutes ago" in staff.get(table).text.replace("\xa0", " ")
    policy(LIMIT=None)
    assert "column-browser" not in staff.get(table).text


# With real browsers, a real server, PostgreSQL and Redis


async def test_a_browser_that_was_killed_blocks_for_so_long_and_no_longer(
    start_daphne, site_database, redis
):
    seconds = 20
    site = start_daphne(
        DATABASE_URL=site_database("postgres"),
        CHANNEL_LAYER="redis",
        REDIS_URL=redis.url,
        LIVE_SINGLE_SESSION={
            "ON_LIMIT": "refuse",
            "AWAY_SECONDS": seconds,
            "RECHECK_SECONDS": 5,
        },
    )
    front = Front(site.port)
    await front.open()
    name = f"--user-agent={SAFARI} {uuid.uuid4()}"
    async with async_playwright() as playwright, people(site, "alice") as (newcomer,):
        chromium = await launch_chromium(playwright, name)
        visitor = Visitor(await chromium.new_context(), front)
        await visitor.sign_in()
        await visitor.open()
        assert (await newcomer.try_to_sign_in()).status_code == 409
        kill(name)
        killed = time.monotonic()
        while (await newcomer.try_to_sign_in()).status_code == 409:
            assert time.monotonic() - killed < seconds + 15
            await asyncio.sleep(0.2)
        assert time.monotonic() - killed > seconds - 1
        assert await newcomer.name_seen_by_site() == "alice"
    await front.close()


def kill(argument):
    """Kill the processes that were started with this argument, as a crash does."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argument.encode() in arguments:
            os.kill(int(folder.name), signal.SIGKILL)


async def test_going_from_node_to_node_writes_nothing(start_daphne, site_database, redis):
    database = site_database("postgres")
    env = {
        "DATABASE_URL": database,
        "CHANNEL_LAYER": "redis",
        "REDIS_URL": redis.url,
        "LIVE_SINGLE_SESSION": {"AWAY_SECONDS": 300},
    }
    nodes = [start_daphne(**env) for _ in range(2)]
    async with (
        people(nodes[0], "alice") as (here,),
        people(nodes[1], "alice") as (there,),
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
    ):

        async def row():
            query = "SELECT present_until, xmin FROM live_single_session_usersession"
            return await (await connection.execute(query)).fetchone()

        async def is_open():
            return (await row())[0] is not None

        async def has_left():
            return (await row())[0] <= timezone.now()

        await here.sign_in()
        there.http.cookies = here.http.cookies
        async with here.tab():
            await await_until(is_open, "it to be open")
        before = await row()
        for _ in range(10):
            for person in (there, here):
                async with person.tab():
                    await asyncio.sleep(0.1)
        async with there.tab():
            await asyncio.sleep(15)  # more than the grace and the time for answers
            assert await row() == before
        # And when it has left for good, that is written once.
        await await_until(has_left, "it to have left")
        assert (await row())[1] != before[1]
