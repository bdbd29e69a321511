"""`ON_SHARED`: two browsers with one session are found, and one browser never is."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.core.management import call_command

from live_single_session.models import EndReason, UserSession
from live_single_session.realtime import sharing
from live_single_session.realtime.push import group_of
from live_single_session.registry import db
from live_single_session.signals import session_shared
from tests.helpers.browsers import API, PAGE, signed_in_browser
from tests.servers.waiting import PATIENCE, await_until

pytestmark = pytest.mark.django_db(transaction=True)

HERE = "https://testserver"


@pytest.fixture(autouse=True)
async def _soon(settings, monkeypatch):
    settings.LIVE_SINGLE_SESSION = {"ON_SHARED": "end"}
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(sharing, "PAUSE_SECONDS", 0.3)
    yield
    await await_until(lambda: not sharing.of_this_loop()._tasks, "everybody to be asked")


@pytest.fixture
def found():
    said = []

    def hear(session, **kwargs):
        said.append(session)

    session_shared.connect(hear)
    yield said
    session_shared.disconnect(hear)


class Tab:
    """A page with the script: it answers as that does, until it doesn't."""

    def __init__(self, socket, name):
        self._socket, self.name = socket, name
        self.answers = True
        self.frames = []

    async def run(self):
        while True:
            message = await self._socket.receive_output(timeout=4 * PATIENCE)
            if message["type"] == "websocket.close":
                self.frames.append(message["code"])
                return
            frame = json.loads(message["text"])
            self.frames.append(frame["type"])
            if frame["type"] == "session.ended":
                self.frames[-1] = frame["reason"]
            if frame["type"] == "session.check" and self.answers and self.name:
                await self.say(type="session.hello", browser=self.name)
                await self.say(type="session.here")

    async def say(self, **frame):
        await self._socket.send_to(json.dumps(frame))

    @property
    def reason(self):
        return next((f for f in self.frames if f in EndReason.values), None)


@asynccontextmanager
async def tab(browser, name, origin=HERE):
    async with browser.socket(headers={"Origin": origin}) as socket:
        page = Tab(socket, name)
        running = asyncio.create_task(page.run())
        try:
            if name:
                await await_until(lambda: "session.check" in page.frames, "it to be asked")
            yield page
        finally:
            running.cancel()
            await asyncio.wait({running})


async def nothing_is_found(found):
    """Long enough for both times that browsers are asked."""
    await asyncio.sleep(2)
    await await_until(lambda: not sharing.of_this_loop()._tasks, "everybody to be asked")
    assert found == []
    assert await UserSession.objects.filter(shared_at=None, ended_at=None).acount() == 1


async def test_a_copied_cookie_is_found_and_both_are_told(found):
    owner = await signed_in_browser()
    async with tab(owner, "one") as hers, tab(owner, "two") as his:
        await await_until(lambda: hers.reason and his.reason, "both to be told")
    assert (hers.reason, his.reason) == ("shared", "shared")
    assert hers.frames[-1] == his.frames[-1] == 4001
    row = await UserSession.objects.aget()
    assert (row.end_reason, [s.pk for s in found]) == (EndReason.SHARED, [row.pk])
    assert await owner.who() is None


async def test_observe_says_so_once_and_ends_nothing(found, settings, caplog):
    settings.LIVE_SINGLE_SESSION = {"ON_SHARED": "observe"}
    owner = await signed_in_browser()
    async with tab(owner, "one"), tab(owner, "two"):
        await await_until(lambda: found, "it to be found")
        async with tab(owner, "three"):
            await asyncio.sleep(2)
    assert len(found) == 1
    assert caplog.text.count("is used in two browsers at once") == 1
    assert await owner.who() == "alice"
    page = await owner.get("/session/", headers=PAGE)
    assert "Used in two browsers at once" in page.text
    assert (await owner.get("/session/", headers=API)).json()["sessions"][0]["shared"] is True


async def test_list_sessions_lists_them(found, settings, capsys):
    settings.LIVE_SINGLE_SESSION = {"ON_SHARED": "observe"}
    await signed_in_browser("bob")
    owner = await signed_in_browser()
    async with tab(owner, "one"), tab(owner, "two"):
        await await_until(lambda: found, "it to be found")
    await sync_to_async(call_command)("list_sessions", "--shared")
    listed = capsys.readouterr().out
    assert "alice" in listed
    assert "bob" not in listed


# Never a false one


async def test_inv9_tabs_of_one_browser_are_one(found):
    owner = await signed_in_browser()
    async with tab(owner, "one"), tab(owner, "one"), tab(owner, "one"):
        await nothing_is_found(found)


async def test_inv9_a_dead_socket_is_nobody(found):
    """As after sleep, a restart of the browser, or behind a proxy that holds it."""
    owner = await signed_in_browser()
    async with tab(owner, "before it was cleared") as old:
        old.answers = False
        async with tab(owner, "after"):
            await nothing_is_found(found)


async def test_inv9_who_answers_once_only_is_nobody(found, monkeypatch):
    monkeypatch.setattr(sharing, "PAUSE_SECONDS", 0.8)
    owner = await signed_in_browser()
    async with tab(owner, "one") as old, tab(owner, "two"):
        await await_until(lambda: old.frames.count("session.check") > 1, "it to be asked")
        await asyncio.sleep(0.1)
        old.answers = False
        await nothing_is_found(found)


async def test_inv9_a_page_from_before_the_storage_was_cleared_learns_its_new_name(found):
    """The script reads its name again each time."""
    owner = await signed_in_browser()
    async with tab(owner, "before") as old:
        old.name = "after"
        async with tab(owner, "after"):
            await nothing_is_found(found)


async def test_inv9_two_hosts_with_one_cookie_are_no_proof(found):
    owner = await signed_in_browser()
    async with tab(owner, "one"), tab(owner, "two", "https://www.testserver"):
        await nothing_is_found(found)


async def test_inv9_without_a_name_there_is_no_proof(found):
    """Private windows, storage that is blocked, no Web Locks, pages in frames, apps."""
    owner = await signed_in_browser()
    async with tab(owner, None), tab(owner, "one"), tab(owner, None):
        await nothing_is_found(found)


async def test_inv9_two_sessions_are_two(found, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_SHARED": "end", "LIMIT": None}
    async with tab(await signed_in_browser(), "one"), tab(await signed_in_browser(), "two"):
        await asyncio.sleep(2)
    assert found == []


async def test_who_comes_while_others_are_asked_is_asked_too(found, monkeypatch):
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 1.0)
    owner = await signed_in_browser()
    async with tab(owner, "dead") as dead:
        dead.answers = False
        async with tab(owner, "one"):
            await asyncio.sleep(0.2)
            async with tab(owner, "two"):
                await await_until(lambda: found, "it to be found")


# In other processes


async def in_group(row):
    group = group_of(row.user_id, db.database())
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group, channel)

    async def send(kind, **more):
        message = {"type": kind, "session": str(row.pk), "origin": HERE, "sender": "other"}
        await layer.group_send(group, {**message, **more})

    async def receive(kind):
        while (message := await layer.receive(channel))["type"] != kind:
            pass
        return message

    return send, receive


async def test_one_that_is_connected_to_another_process_is_found(found):
    owner = await signed_in_browser()
    send, receive = await in_group(await owner.row())
    async with tab(owner, "one") as hers:
        await receive(sharing.HELLO)
        await send(sharing.HELLO, name="other")
        for _ in range(2):
            asked = await receive(sharing.CHECK)
            await send(sharing.ANSWER, nonce=asked["nonce"], name="other")
        await await_until(lambda: hers.reason == "shared", "it to be found")


async def test_one_is_asked_for_another_process():
    owner = await signed_in_browser()
    send, receive = await in_group(await owner.row())
    async with tab(owner, "one"):
        hello = await receive(sharing.HELLO)
        assert "one" not in json.dumps(hello)  # a digest
        await send(sharing.CHECK, nonce="n")
        answer = await receive(sharing.ANSWER)
        assert (answer["nonce"], answer["name"]) == ("n", hello["name"])


@pytest.mark.parametrize("bad", [{}, {"session": "x"}, {"nonce": 7, "name": None}])
async def test_messages_of_other_versions_do_no_harm(bad, found):
    owner = await signed_in_browser()
    row = await owner.row()
    async with tab(owner, "one"):
        for kind in (sharing.HELLO, sharing.CHECK, sharing.ANSWER):
            sharing.of_this_loop().hear({"session": str(row.pk), **bad, "type": kind})
        await nothing_is_found(found)


# What a client may send


async def test_answers_cost_nothing_and_the_rest_is_counted():
    owner = await signed_in_browser()
    async with tab(owner, "one") as page:
        for _ in range(30):
            sharing.of_this_loop()._start(
                next(iter(next(iter(sharing.of_this_loop().peers.values())))).check()
            )
        await await_until(lambda: page.frames.count("session.check") == 31, "to be asked")
        await asyncio.sleep(0.3)
        assert 4008 not in page.frames
        for _ in range(17):
            await page.say(type="session.here")
        await await_until(lambda: 4008 in page.frames, "it to be sent away")


@pytest.mark.parametrize(
    "frame",
    [{"type": "session.hello", "browser": 7}, {"type": "session.hello", "browser": 900 * "a"}],
)
async def test_a_name_that_is_none_is_ignored(frame, found):
    owner = await signed_in_browser()
    async with tab(owner, None) as page:
        await page.say(**frame)
        async with tab(owner, "one"):
            await nothing_is_found(found)


async def test_off_nobody_is_asked(settings):
    settings.LIVE_SINGLE_SESSION = {}
    owner = await signed_in_browser()
    async with tab(owner, None) as page:
        await asyncio.sleep(0.5)
        assert page.frames == ["session.ready"]
        assert sharing.of_this_loop().peers == {}
