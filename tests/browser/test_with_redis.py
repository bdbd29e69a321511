"""Over a real Redis: what other pages hold open is cut off, and what Redis forgets is told."""

from collections.abc import Awaitable, Callable

import pytest

from tests.helpers.visitor import Visitor, is_told
from tests.servers.daphne import Daphne
from tests.servers.redis import RedisServer
from tests.servers.waiting import await_until

RECHECK_SECONDS = 2

CHAT = """new Promise((resolve) => {
    window.chat = new WebSocket(location.origin.replace("http", "ws") + "/ws/chat/");
    chat.onopen = () => chat.send("hello");
    chat.onmessage = ({ data }) => resolve(data);
    chat.onclose = ({ code }) => { window.chatClosed = code; };
})"""


@pytest.fixture
def daphne(
    redis: RedisServer,
    start_daphne: Callable[..., Daphne],
    site_database: Callable[[str], str],
) -> Daphne:
    """A site of its own, in the place of the one that all tests with a browser share."""
    return start_daphne(
        DATABASE_URL=site_database("sqlite"),
        REDIS_URL=redis.url,
        CHANNEL_LAYER="redis",
        LIVE_SINGLE_SESSION={"RECHECK_SECONDS": RECHECK_SECONDS},
    )


async def test_inv2_a_chat_that_has_never_heard_of_the_package_is_cut_off(
    visitor: Visitor, sign_in_elsewhere: Callable[[], Awaitable[Visitor]]
) -> None:
    page = await visitor.open()
    assert await page.evaluate(CHAT) == "hello"
    await sign_in_elsewhere()
    await await_until(
        lambda: page.evaluate("window.chatClosed === 4001"), "the chat to be closed"
    )
    await is_told(page)


async def test_inv4_a_tab_of_which_redis_knows_no_more_is_told_by_the_recheck(
    visitor: Visitor,
    sign_in_elsewhere: Callable[[], Awaitable[Visitor]],
    redis: RedisServer,
) -> None:
    page = await visitor.open()
    redis.flush()
    await sign_in_elsewhere()
    await is_told(page)
