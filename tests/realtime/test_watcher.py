"""Invariant 4: the watch finds out what nobody told it, whatever the layer does."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from channels.db import database_sync_to_async
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.notices import EndNotice
from live_single_session.realtime import watcher
from live_single_session.realtime.lookup import Place, place_of
from live_single_session.realtime.push import MESSAGE_TYPE, group_of
from live_single_session.realtime.subscription import REJOINED_IN, Subscription
from live_single_session.realtime.watcher import watching
from live_single_session.registry import ending
from tests.helpers.browsers import signed_in_browser
from tests.helpers.people import hear, people
from tests.servers.daphne import Daphne
from tests.servers.redis import RedisServer
from tests.servers.waiting import PATIENCE, await_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_rechecks(settings: Any) -> None:
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 0.2, "PUSH_TIMEOUT_SECONDS": 0.2}


@pytest.fixture
def layer() -> Any:
    """Put a channel layer in the place of the site's."""
    before: list[Any] = []

    def use(layer: Any) -> Any:
        before.append(channel_layers.set("default", layer))
        return layer

    yield use
    for original in reversed(before):
        channel_layers.set("default", original)


async def sign_in() -> UserSession:
    session: UserSession = await (await signed_in_browser()).row()
    return session


@asynccontextmanager
async def watched(session: UserSession) -> AsyncIterator["asyncio.Future[EndNotice]"]:
    async with asyncio.timeout(PATIENCE), watching(session.pk, session.user_id) as ended:
        yield ended


async def the_row_was_ended(session: UserSession) -> str:
    rows = UserSession.objects.filter(pk=session.pk)
    await rows.aupdate(ended_at=timezone.now(), end_reason=EndReason.REVOKED_BY_STAFF)
    return EndReason.REVOKED_BY_STAFF


async def the_session_expired(session: UserSession) -> str:
    past = timezone.now() - timedelta(seconds=1)
    await UserSession.objects.filter(pk=session.pk).aupdate(expires_at=past)
    await Session.objects.aupdate(expire_date=past)
    return EndReason.EXPIRED


async def the_user_was_deactivated(session: UserSession) -> str:
    await User.objects.aupdate(is_active=False)  # no signal is sent
    return EndReason.DEACTIVATED


async def the_user_was_deleted(session: UserSession) -> str:
    await UserSession.objects.filter(pk=session.pk).adelete()
    users = User.objects.filter(pk=session.user_id)
    await database_sync_to_async(users._raw_delete)("default")  # no signal is sent
    return EndReason.DEACTIVATED


async def the_row_is_missing(session: UserSession) -> None:
    await UserSession.objects.filter(pk=session.pk).adelete()


@pytest.mark.parametrize(
    "happens",
    [
        the_row_was_ended,
        the_session_expired,
        the_user_was_deactivated,
        the_user_was_deleted,
        the_row_is_missing,
    ],
)
async def test_inv4_recheck_finds_what_nobody_pushed(happens: Callable[..., Any]) -> None:
    session = await sign_in()
    async with watched(session) as ended:
        assert not ended.done()
        reason = await happens(session)
        assert (await ended).reason == reason


async def test_session_that_the_engine_has_prolonged_is_not_taken_for_expired() -> None:
    session = await sign_in()
    past = timezone.now() - timedelta(seconds=1)
    await UserSession.objects.filter(pk=session.pk).aupdate(expires_at=past)
    async with watched(session) as ended:
        await asyncio.wait({ended}, timeout=0.5)  # two re-checks
        assert not ended.done()


async def test_inv4_what_ended_before_is_known_on_entering() -> None:
    session = await sign_in()
    await the_row_was_ended(session)
    async with watched(session) as ended:
        assert ended.done()


async def test_recheck_of_many_sessions_is_one_query_for_each_500() -> None:
    user = await User.objects.acreate_user("bob")
    later = timezone.now() + timedelta(days=1)
    rows = await UserSession.objects.abulk_create(
        UserSession(user=user, serial=number, expires_at=later) for number in range(1000)
    )

    def ask() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert ending.ended_among([row.pk for row in rows]) == {}
        return len(queries)

    assert await database_sync_to_async(ask)() == 2


async def test_inv4_newcomers_share_one_look_at_the_registry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = await sign_in()
    looks: list[int] = []

    async def counting(place: Any, users: Any, **kwargs: Any) -> Any:
        looks.append(len(users))
        return {}

    monkeypatch.setattr(watcher, "ended_in", counting)
    async with AsyncExitStack() as stack:
        contexts = [watching(uuid4(), session.user_id) for _ in range(200)]
        await asyncio.gather(*(stack.enter_async_context(context) for context in contexts))
        assert looks == [200]


class RaisingLayer(InMemoryChannelLayer):
    async def _fail(self, *args: Any) -> Any:
        raise ConnectionError

    new_channel = group_add = group_send = receive = _fail


class HangingLayer(InMemoryChannelLayer):
    async def _hang(self, *args: Any) -> Any:
        await asyncio.Event().wait()

    new_channel = group_add = group_send = receive = _hang


class LayerThatLetsNobodyJoin(InMemoryChannelLayer):
    group_add = HangingLayer._hang


@pytest.mark.parametrize(
    "broken", [RaisingLayer, HangingLayer, LayerThatLetsNobodyJoin, lambda: None]
)
async def test_inv4_tab_is_told_by_recheck_where_there_is_no_layer(
    layer: Callable[[Any], Any], broken: Callable[[], Any]
) -> None:
    layer(broken())
    session = await sign_in()
    async with watched(session) as ended:
        assert not ended.done()
        assert await registry.aend(session, EndReason.REVOKED)
        assert (await ended).reason == EndReason.REVOKED


class DeafLayer(InMemoryChannelLayer):
    """Accepts members, and forgets them: as Redis does that is restarted or flushed."""

    forgetful = True

    async def group_add(self, group: str, channel: str) -> None:
        if not self.forgetful:
            await super().group_add(group, channel)


async def test_inv4_groups_are_joined_again_at_the_rechecks(
    layer: Callable[[Any], Any],
) -> None:
    session = await sign_in()
    deaf = layer(DeafLayer())
    async with watched(session) as ended:
        assert deaf.groups == {}
        deaf.forgetful = False
        await await_until(lambda: deaf.groups, "the next re-check")
        await say_it_ended(session)
        assert (await ended).reason == EndReason.REVOKED


class CountingLayer(InMemoryChannelLayer):
    """Notes who joins."""

    def __init__(self) -> None:
        super().__init__()
        self.joined: list[str] = []

    async def group_add(self, group: str, channel: str) -> None:
        self.joined.append(group)
        await super().group_add(group, channel)


async def test_groups_are_joined_again_in_turn_and_not_all_at_each_recheck(
    layer: Callable[[Any], Any],
) -> None:
    counting = layer(CountingLayer())
    subscription = Subscription(deliver=print, lost=print)
    groups = [f"group{number}" for number in range(2 * REJOINED_IN)]
    try:
        await subscription.update(groups)
        counting.joined.clear()
        for recheck in range(REJOINED_IN):
            subscription.invalidate_some()
            await subscription.update(groups)
            assert len(counting.joined) == 2 * (recheck + 1)
        assert sorted(counting.joined) == sorted(groups)
    finally:
        await subscription.close()


class LateLayer(InMemoryChannelLayer):
    """Something happens just before it lets somebody join."""

    happens: Callable[[], Any]

    async def group_add(self, group: str, channel: str) -> None:
        await self.happens()
        await super().group_add(group, channel)


async def test_inv4_what_ends_just_before_its_group_is_joined_is_found(
    layer: Callable[[Any], Any], settings: Any
) -> None:
    """Join first, then look: whoever looks first would wait for the next re-check."""
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 3600}
    session = await sign_in()
    layer(LateLayer()).happens = lambda: the_row_was_ended(session)
    async with watched(session) as ended:
        assert (await ended).reason == EndReason.REVOKED_BY_STAFF


async def test_inv4_what_ends_before_its_group_is_joined_at_last_is_found(
    layer: Callable[[Any], Any], settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 3600}
    session = await sign_in()
    late = layer(LateLayer())
    is_open = asyncio.Event()

    async def fail_until_open() -> None:
        if not is_open.is_set():
            raise ConnectionError

    late.happens = fail_until_open
    async with watched(session) as ended:
        await the_row_was_ended(session)
        is_open.set()
        assert (await ended).reason == EndReason.REVOKED_BY_STAFF


class StubbornLayer(InMemoryChannelLayer):
    """Loses a cancellation, as redis-py does now and then, and goes on to wait."""

    lost = 0

    async def receive(self, channel: str) -> Any:
        try:
            return await super().receive(channel)
        except asyncio.CancelledError:
            if self.lost:
                raise
            self.lost += 1
            return await super().receive(channel)


async def test_nobody_goes_on_to_receive_once_everybody_has_left(
    layer: Callable[[Any], Any],
) -> None:
    session = await sign_in()
    before = asyncio.all_tasks()
    stubborn = layer(StubbornLayer())
    async with watched(session):
        pass
    await await_until(lambda: stubborn.lost, "the cancellation")
    await await_until(lambda: asyncio.all_tasks() <= before, "the receiver to stop")


class TidyLayer(InMemoryChannelLayer):
    """Cleans up after a receiver, over a slow network, as the pub/sub layer unsubscribes."""

    cleaned_up = False

    async def receive(self, channel: str) -> Any:
        try:
            return await super().receive(channel)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            self.cleaned_up = True
            raise


async def test_layer_has_time_to_clean_up(layer: Callable[[Any], Any], settings: Any) -> None:
    """One that is cancelled again meanwhile logs an error, and keeps its subscription."""
    settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": 6}
    session = await sign_in()
    before = asyncio.all_tasks()
    tidy = layer(TidyLayer())
    async with watched(session):
        pass
    await await_until(lambda: asyncio.all_tasks() <= before, "the receiver to stop")
    assert tidy.cleaned_up


class ImpatientLayer(InMemoryChannelLayer):
    """Nothing comes, and it doesn't even wait; or it gives up those who wait for it."""

    error: type[BaseException] | None = None
    failed = 0

    async def receive(self, channel: str) -> Any:
        if self.error is None or self.failed > 10_000:
            return await super().receive(channel)
        self.failed += 1
        raise self.error


@pytest.mark.parametrize("error", [TimeoutError, asyncio.CancelledError])
async def test_inv4_groups_are_heard_again_after_receiving_failed(
    layer: Callable[[Any], Any], error: type[BaseException]
) -> None:
    session = await sign_in()
    impatient = layer(ImpatientLayer())
    impatient.error = error
    async with watched(session) as ended:
        await await_until(lambda: impatient.failed, "the layer to fail")
        impatient.error = None
        await say_it_ended(session)
        assert (await ended).reason == EndReason.REVOKED
    assert impatient.failed < 100  # nobody else had a turn meanwhile


class SlowLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """Redis under such a load that each group takes its time."""

    seconds = 0.0

    async def group_add(self, group: str, channel: str) -> None:
        await asyncio.sleep(self.seconds)
        await super().group_add(group, channel)


async def test_inv4_a_slow_layer_keeps_nobody_waiting(layer: Callable[[Any], Any]) -> None:
    session = await sign_in()
    slow = layer(SlowLayer())
    async with AsyncExitStack() as others:
        place = await place_of()
        for number in range(watch_many := 2_000):
            others.enter_context(entered(number + 1_000, place))
        async with watched(session) as ended:
            slow.seconds = 0.15  # less than it may take, and half a minute for all
            await asyncio.sleep(0.3)  # the re-check has begun
            await the_row_was_ended(session)
            assert (await ended).reason == EndReason.REVOKED_BY_STAFF
            async with asyncio.timeout(PATIENCE), watching(uuid4(), watch_many):
                pass


@contextmanager
def entered(user_pk: int, place: Place) -> Iterator[None]:
    """Somebody else's connection, which nobody waits for."""
    entry = watcher.get_watcher().enter(watcher.Waiter(uuid4(), user_pk, place))
    try:
        yield
    finally:
        watcher.get_watcher().leave(entry)


class MuteLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """It lets groups be joined, but nothing be received: so does a proxy without BZPOPMIN."""

    joined = 0

    async def group_add(self, group: str, channel: str) -> None:
        self.joined += 1
        await super().group_add(group, channel)

    async def receive(self, channel: str) -> Any:
        raise ConnectionError("unknown command")


async def test_a_layer_that_nothing_is_received_from_is_asked_ever_less(
    layer: Callable[[Any], Any], settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 60}
    session = await sign_in()
    mute = layer(MuteLayer())
    async with watched(session):
        await asyncio.sleep(2)
    assert 2 <= mute.joined <= 6


async def test_inv4_a_user_whose_row_is_locked_keeps_nobody_else_waiting(
    site_database: Callable[[str], str],
    start_daphne: Callable[..., Daphne],
    redis: RedisServer,
) -> None:
    """Those who look at the registry share a thread: none may wait for another's lock."""
    url = site_database("postgres")
    site = start_daphne(
        DATABASE_URL=url,
        REDIS_URL=redis.url,
        LIVE_SINGLE_SESSION={"RECHECK_SECONDS": 1},
    )
    async with people(site, "alice", "bob") as (alice, bob):
        await alice.sign_in()
        await bob.sign_in()
        async with alice.tab() as tab:
            with psycopg.connect(url.partition("?")[0]) as somebody:
                somebody.execute(
                    "UPDATE live_single_session_usersession"
                    " SET expires_at = now() - interval '1 hour'"
                )
                somebody.execute(
                    "UPDATE django_session SET expire_date = now() - interval '1 hour'"
                    " WHERE session_key IN (SELECT session_key FROM"
                    " live_single_session_usersession WHERE user_id ="
                    " (SELECT id FROM auth_user WHERE username = 'alice'))"
                )
                somebody.commit()
                somebody.execute("SELECT FROM auth_user WHERE username = 'alice' FOR UPDATE")
                await asyncio.sleep(2)  # two re-checks find that her session has expired
                async with asyncio.timeout(PATIENCE), bob.tab():
                    pass
            told = await hear(tab)
            assert told["reason"] == "expired"


async def say_it_ended(session: UserSession, **more: Any) -> None:
    """Push what the registry knows nothing of, so that only the push can be heard."""
    notice = EndNotice(str(session.pk), EndReason.REVOKED).pack()
    message = {"type": MESSAGE_TYPE, "version": 1, "ended": [notice], **more}
    await get_channel_layer().group_send(group_of(session.user_id, "default"), message)


async def test_message_about_another_session_of_the_user_ends_nothing(settings: Any) -> None:
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    session = await sign_in()
    another = UserSession(pk=uuid4(), user_id=session.user_id)
    async with watched(session) as ended, watched(session) as second_tab:
        await say_it_ended(another)
        await say_it_ended(session)
        assert (await ended).session == str(session.pk)
        assert (await second_tab).session == str(session.pk)


@pytest.mark.parametrize(
    "ended_list", [None, "nonsense", [{}], [{"session": "x", "by": 3, "reason": "revoked"}]]
)
async def test_message_of_another_version_makes_the_watch_look(
    settings: Any, ended_list: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 3600}
    session = await sign_in()
    async with watched(session) as ended:
        reason = await the_row_was_ended(session)
        await say_it_ended(session, version=2, ended=ended_list)
        assert (await ended).reason == reason


async def test_registry_that_can_not_be_asked_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 3600}
    session = await sign_in()
    ask = watcher.ended_in
    failures = iter([OperationalError(), OperationalError()])
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.01)

    async def stumbling(*args: Any, **kwargs: Any) -> Any:
        for failure in failures:
            raise failure
        return await ask(*args, **kwargs)

    monkeypatch.setattr(watcher, "ended_in", stumbling)
    await the_row_was_ended(session)
    async with watched(session) as ended:
        assert (await ended).reason == EndReason.REVOKED_BY_STAFF


async def test_inv9_registry_that_can_not_be_asked_hangs_and_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = await sign_in()
    asked: list[Any] = []

    async def away(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        raise OperationalError

    monkeypatch.setattr(watcher, "ended_in", away)
    monkeypatch.setattr(watcher, "RETRY_SECONDS", 0.01)
    async with watched(session) as ended:
        await await_until(lambda: len(asked) > 3, "it to be asked again")
        assert not ended.done()
    assert caplog.text.count("The registry can't be asked") == 1


if sys.version_info >= (3, 12):

    async def test_inv4_tasks_that_start_at_once_hear_as_well(settings: Any) -> None:
        settings.LIVE_SINGLE_SESSION = {"RECHECK_SECONDS": 3600}
        session = await sign_in()
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        try:
            async with watched(session) as ended:
                assert await registry.aend(session, EndReason.REVOKED)
                assert (await ended).reason == EndReason.REVOKED
        finally:
            loop.set_task_factory(None)


async def test_inv3_recheck_finishes_what_a_dead_process_left(settings: Any) -> None:
    settings.SESSION_ENGINE = "live_single_session.backends.cached_db"
    session = await sign_in()
    key = session.session_key
    await the_row_was_ended(session)  # and nothing was cleaned up
    async with watched(session) as ended:
        await ended
    await session.arefresh_from_db()
    assert session.session_key == ""
    assert not await Session.objects.filter(session_key=key).aexists()


async def test_idle_socket_stays_open_with_the_defaults_of_redis_py(
    redis: RedisServer, site_database: Callable[[str], str], start_daphne: Callable[..., Daphne]
) -> None:
    """redis-py 8 gives up a read after 5 s; bare Channels then closes with 1011."""
    site = start_daphne(
        DATABASE_URL=site_database("sqlite"), CHANNEL_LAYER="redis", REDIS_URL=redis.url
    )
    async with asyncio.timeout(120), people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(7):
                    await tab.recv()
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
    assert "Traceback" not in site.log
