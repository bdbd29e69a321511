"""`ON_SHARED`: a cookie that was copied into another browser, and what only looks like one."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.helpers.browsers import FIREFOX
from tests.helpers.visitor import Visitor, dialog, is_told, session_of
from tests.servers.daphne import Daphne
from tests.servers.waiting import await_until

NAME = "live-single-session browser"
KNOWN = f"localStorage.getItem('{NAME}')"
CLEARED = "localStorage.clear()"
# More than both times that browsers are asked.
LONG_ENOUGH = 16


@pytest.fixture(scope="module")
def daphne(site_databases, redis_server) -> Iterator[Daphne]:
    """A site that ends sessions which two browsers share."""
    redis_server.renew()
    databases = site_databases("postgres")
    name = databases.create()
    settings = {"ON_SHARED": "end", "NOT_YOU_URL": "/accounts/login/?reset"}
    env = {
        "DATABASE_URL": databases.url(name),
        "CHANNEL_LAYER": "redis",
        "REDIS_URL": redis_server.url,
        "LIVE_SINGLE_SESSION": settings,
    }
    daphne = Daphne(env=env)
    try:
        daphne.start()
        yield daphne
    finally:
        daphne.close()
        databases.drop(name)


async def copy_of(visitor: Visitor, new_visitor, **options: object) -> Visitor:
    """Another browser with the cookies of somebody's."""
    thief = await new_visitor(**options)
    await thief.context.add_cookies(await visitor.context.cookies())
    return thief


async def is_nobody_told(*pages) -> None:
    await asyncio.sleep(LONG_ENOUGH)
    for page in pages:
        assert not await dialog(page).count()
        assert await page.evaluate("fetch('/whoami/').then((r) => r.json())") == {
            "user": "alice"
        }


async def test_a_cookie_that_was_copied_is_found_and_both_are_told(visitor, new_visitor):
    owner = await visitor.open()
    thief = await copy_of(visitor, new_visitor, user_agent=FIREFOX)
    begun = time.monotonic()
    copy = await thief.open()

    await is_told(copy)
    assert time.monotonic() - begun < 15
    await is_told(owner)
    for page in (owner, copy):
        text = "Two browsers used this session at the same time"
        await expect(dialog(page)).to_contain_text(text)
        await expect(dialog(page).get_by_role("link")).to_have_count(2)  # "Wasn't you?"


async def test_inv9_tabs_that_open_at_once_agree_on_one_name(visitor):
    tabs = [await visitor.context.new_page() for _ in range(8)]
    await asyncio.gather(*(tab.goto(visitor.front.url + "/private/") for tab in tabs))
    await await_until(lambda: visitor.front.sockets, "a socket")
    await await_until(lambda: tabs[0].evaluate(KNOWN), "a name")
    assert len({await tab.evaluate(KNOWN) for tab in tabs}) == 1
    await is_nobody_told(*tabs)


async def test_inv9_storage_that_is_cleared_while_tabs_are_open(visitor):
    """Each tab with a socket of its own, which has said the old name."""
    await visitor.context.add_init_script("delete window.BroadcastChannel")
    tabs = [await visitor.open() for _ in range(3)]
    await await_until(lambda: tabs[0].evaluate(KNOWN), "a name")
    before = await tabs[0].evaluate(KNOWN)
    await tabs[0].evaluate(CLEARED)
    tabs.append(await visitor.open())
    await await_until(lambda: tabs[0].evaluate(KNOWN), "another name")
    assert await tabs[0].evaluate(KNOWN) != before
    await is_nobody_told(*tabs)


async def test_inv9_going_back_and_forth(visitor):
    page = await visitor.open()
    for _ in range(3):
        await page.goto(visitor.front.url + "/session/")
        await page.go_back()
    await page.evaluate(CLEARED)
    await page.reload()
    await is_nobody_told(page)


async def test_inv9_frames_say_no_name(visitor):
    page = await visitor.open()
    await page.evaluate(
        """() => {
            const frame = document.body.appendChild(document.createElement("iframe"));
            frame.src = "/private/";
        }"""
    )
    await is_nobody_told(page)


@pytest.mark.parametrize(
    "without",
    [
        "delete Navigator.prototype.locks",
        "Object.defineProperty(window, 'localStorage', { get() { throw Error('blocked') } })",
        "Storage.prototype.setItem = () => { throw Error('full') }",
        "window.matchMedia = () => ({ matches: true })",  # an app, to which cookies are copied
    ],
    ids=["no locks", "no storage", "full", "app"],
)
async def test_inv9_without_a_name_there_is_no_proof(visitor, new_visitor, without):
    owner = await visitor.open()
    other = await copy_of(visitor, new_visitor)
    await other.context.add_init_script(without)
    page = await other.open()
    await is_nobody_told(owner, page)


async def test_inv7_the_name_is_in_no_address_and_no_page(visitor):
    asked = []
    visitor.context.on("request", lambda request: asked.append(request.url))
    page = await visitor.open()
    page.on("websocket", lambda socket: asked.append(socket.url))
    await await_until(lambda: page.evaluate(KNOWN), "a name")
    name = await page.evaluate(KNOWN)
    await page.reload()
    await session_of(page)
    assert asked
    assert not [url for url in asked if name in url]
    assert name not in await page.content()
