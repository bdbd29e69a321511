"""`AWAY_SECONDS`: whose browser is there is recorded, and going from page to page is not."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live_single_session.models import UserSession
from live_single_session.realtime import messages, presence
from live_single_session.realtime.push import group_of
from live_single_session.registry import db
from live_single_session.registry import presence as record
from tests.helpers.browsers import signed_in_browser
from tests.servers.waiting import await_until

pytestmark = pytest.mark.django_db(transaction=True)

AWAY = 600


@pytest.fixture(autouse=True)
async def _at_once(settings, monkeypatch):
    settings.LIVE_SINGLE_SESSION = {"AWAY_SECONDS": AWAY}
    monkeypatch.setattr(presence, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(presence, "ANSWER_SECONDS", 0.3)
    yield
    here = presence.of_this_loop()
    await await_until(lambda: here._task is None, "nobody to be there")


@pytest.fixture
def writes(monkeypatch):
    """What is written about presence, in order: ("arrive", how many rows changed)."""
    seen = []

    def counted(name):
        write = getattr(record, name)

        def call(*args):
            seen.append((name, write(*args)))
            return seen[-1][1]

        monkeypatch.setattr(record, name, call)

    for name in ("arrive", "stay", "leave"):
        counted(name)
    return seen


async def until():
    return (await UserSession.objects.aget()).present_until


async def is_open():
    value = await until()
    return value is not None and value > timezone.now()


async def has_left():
    value = await until()
    return value is not None and value <= timezone.now()


@asynccontextmanager
async def page(browser):
    """A page with the script, whose socket is ready."""
    async with browser.socket() as socket:
        assert (await socket.frame())["type"] == "session.ready"
        yield socket


async def test_a_browser_that_is_there_is_open_and_one_that_left_has_left(writes):
    browser = await signed_in_browser()
    assert await until() is None
    async with page(browser):
        await await_until(is_open, "it to be open")
        lease = await until() - timezone.now()
        assert timedelta(seconds=AWAY / 2) < lease <= timedelta(seconds=2 * AWAY / 3)
        before = timezone.now()
    await await_until(has_left, "it to have left")
    # Since when the page was closed, whenever that is written.
    assert before - timedelta(seconds=1) <= await until() <= timezone.now()
    assert writes == [("arrive", 1), ("leave", 1)]


async def test_inv8_going_from_page_to_page_writes_nothing(writes):
    browser = await signed_in_browser()
    for _ in range(10):
        async with page(browser):
            await await_until(is_open, "it to be open")
    await await_until(has_left, "it to have left")
    assert writes == [("arrive", 1), ("leave", 1)]


async def test_tabs_with_a_socket_each_are_one_browser(writes):
    browser = await signed_in_browser()
    async with page(browser):
        async with page(browser):
            await await_until(is_open, "it to be open")
        await asyncio.sleep(1)
        assert await is_open()
    await await_until(has_left, "it to have left")
    assert writes == [("arrive", 1), ("leave", 1)]


async def test_who_is_there_is_written_for_all_in_one_statement(writes, monkeypatch):
    monkeypatch.setattr(record, "period", lambda: 0.5)
    browsers = [await signed_in_browser(name) for name in ("alice", "bob", "carol")]
    async with page(browsers[0]), page(browsers[1]), page(browsers[2]):
        await await_until(lambda: writes.count(("stay", 3)) > 2, "it to be written again")
        assert await UserSession.objects.filter(present_until__gt=timezone.now()).acount() == 3


async def test_a_browser_that_comes_back_is_written_once(writes):
    browser = await signed_in_browser()
    for _ in range(2):
        async with page(browser):
            await await_until(is_open, "it to be open")
        await await_until(has_left, "it to have left")
    assert writes == 2 * [("arrive", 1), ("leave", 1)]


async def test_one_that_is_known_to_be_there_costs_no_write(writes):
    """As when it comes from another process."""
    browser = await signed_in_browser()
    later = timezone.now() + timedelta(seconds=AWAY / 2)
    await UserSession.objects.aupdate(present_until=later)
    async with page(browser):
        await await_until(lambda: writes == [("arrive", 0)], "it to come")
    assert await until() == later
    await await_until(has_left, "it to have left")


async def test_inv9_one_that_went_on_in_another_process_has_not_left(writes):
    browser = await signed_in_browser()
    row = await browser.row()
    group = group_of(row.user_id, db.database())
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    async with page(browser):
        await await_until(is_open, "it to be open")
    lease = await until()
    while (asked := await layer.receive(channel))["type"] != presence.ASK:
        pass
    assert asked["session"] == str(row.pk)
    here = {"type": presence.HERE, "session": asked["session"], "sender": "another"}
    await layer.group_send(group, here)
    await await_until(lambda: presence.of_this_loop()._task is None, "it to be let go")
    assert writes == [("arrive", 1)]
    assert await until() == lease


async def test_a_process_that_has_it_says_so():
    browser = await signed_in_browser()
    row = await browser.row()
    group = group_of(row.user_id, db.database())
    layer = get_channel_layer()
    channel = await layer.new_channel()
    async with page(browser):
        await layer.group_add(group, channel)
        ask = {"type": presence.ASK, "session": str(row.pk), "sender": "another"}
        await layer.group_send(group, ask)
        while (answer := await layer.receive(channel))["type"] != presence.HERE:
            pass
        assert answer["session"] == str(row.pk)


async def test_inv9_where_others_can_t_be_asked_it_is_not_known_to_have_left(
    writes, monkeypatch
):
    async def fail(group, message):
        return False

    browser = await signed_in_browser()
    async with page(browser):
        await await_until(is_open, "it to be open")
        monkeypatch.setattr(messages, "send", fail)
    await await_until(lambda: presence.of_this_loop()._task is None, "it to be let go")
    assert writes[0] == ("arrive", 1)
    assert await is_open()


async def test_a_session_that_has_ended_is_not_written_about(writes):
    browser = await signed_in_browser()
    async with page(browser) as socket:
        await await_until(is_open, "it to be open")
        await signed_in_browser()
        assert (await socket.frame())["type"] == "session.ended"
    await await_until(lambda: presence.of_this_loop()._task is None, "it to be let go")
    assert [write for write in writes if write[1]] == [("arrive", 1)]


async def test_a_registry_that_can_t_be_written_to_is_written_to_later(monkeypatch, caplog):
    write, failures = record.arrive, [1, 1]

    def fail_twice(ids):
        if failures:
            failures.pop()
            raise ConnectionError("away")
        return write(ids)

    monkeypatch.setattr(record, "arrive", fail_twice)
    monkeypatch.setattr(presence, "RETRY_SECONDS", 0.05)
    browser = await signed_in_browser()
    async with page(browser):
        await await_until(is_open, "it to be open")
    assert caplog.text.count("It could not be recorded who is connected") == 1


async def test_off_it_costs_nothing(settings, writes):
    settings.LIVE_SINGLE_SESSION = {}
    browser = await signed_in_browser()
    async with page(browser):
        pass
    await asyncio.sleep(0.5)
    assert writes == []
    assert await until() is None
    assert presence.of_this_loop()._task is None


# What is written


@sync_to_async
def queries_of(function, *args):
    with CaptureQueriesContext(connection) as queries:
        function(*args)
    return [q["sql"] for q in queries if "present_until" in q["sql"]]


async def test_500_are_one_statement(alice):
    rows = await UserSession.objects.abulk_create(
        UserSession(user=alice, serial=n) for n in range(500)
    )
    (sql,) = await queries_of(record.stay, [row.pk for row in rows])
    assert sql.startswith("UPDATE")
    assert await UserSession.objects.filter(present_until__gt=timezone.now()).acount() == 500
