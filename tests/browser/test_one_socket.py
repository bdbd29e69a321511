"""One socket per browser: which tab holds it, and who takes over."""

import asyncio

import pytest
from playwright.async_api import async_playwright

from tests.helpers.visitor import HURRY, PAGE, Visitor, is_told, session_of, shows
from tests.servers.chromium import freezable_context
from tests.servers.waiting import await_until


@pytest.mark.server
async def test_ten_tabs_of_one_browser_hold_one_socket(visitor, sign_in_elsewhere):
    tabs = [await visitor.open() for _ in range(10)]

    assert len(visitor.front.sockets) == 1
    assert visitor.front.handshakes == 1

    await sign_in_elsewhere()
    for tab in tabs:
        await is_told(tab)
    assert visitor.front.handshakes == 1


async def test_each_browser_has_a_socket_of_its_own(visitor, new_visitor):
    bob = await new_visitor()
    await bob.sign_in("bob")

    await visitor.open()
    await bob.open()

    assert len(visitor.front.sockets) == 2


async def test_inv4_when_the_leader_is_closed_another_tab_takes_over(
    visitor, sign_in_elsewhere
):
    leader = await visitor.open()
    tabs = [await visitor.open() for _ in range(2)]

    await leader.close()
    await sign_in_elsewhere()

    for tab in tabs:
        await is_told(tab)
    assert visitor.front.handshakes == 2


async def test_inv4_when_the_leader_crashes_another_tab_takes_over(visitor, sign_in_elsewhere):
    leader = await visitor.open()
    tab = await visitor.open()
    session = await session_of(tab)

    devtools = await visitor.context.new_cdp_session(leader)
    async with leader.expect_event("crash"):
        crash = asyncio.create_task(devtools.send("Page.crash"))
    crash.cancel()  # nobody is left to answer

    await await_until(
        lambda: visitor.front.handshakes == 2 and visitor.front.of(session), "another leader"
    )
    await sign_in_elsewhere()
    await is_told(tab)


async def test_inv4_when_the_leader_freezes_another_tab_takes_over(front, sign_in_elsewhere):
    async with async_playwright() as playwright, freezable_context(playwright) as context:
        visitor = Visitor(context, front)
        await visitor.sign_in()
        leader = await visitor.open()
        tab = await visitor.open()
        session = await session_of(tab)
        devtools = await context.new_cdp_session(leader)

        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})

        await await_until(
            lambda: front.handshakes == 2 and len(front.of(session)) == 1, "another leader"
        )
        await sign_in_elsewhere()
        await is_told(tab)
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await is_told(leader)


async def test_inv4_when_the_leader_hangs_the_others_are_told(visitor, sign_in_elsewhere):
    """It holds the lock all the same. HURRY makes its silence short."""
    await visitor.context.add_init_script(HURRY)
    visitor.front.edit(PAGE, 'data-recheck="30.0"', 'data-recheck="5"')
    leader = await visitor.open()
    tab = await visitor.open()
    opened = asyncio.Event()
    leader.on("dialog", lambda _: opened.set())  # and nobody answers

    await leader.evaluate("setTimeout(() => alert('Are you there?'), 0)")
    await opened.wait()
    await sign_in_elsewhere()

    await is_told(tab)


async def test_inv4_leaving_by_a_link_hands_the_socket_over(visitor, sign_in_elsewhere):
    leader = await visitor.open()
    tab = await visitor.open()

    await leader.goto("about:blank")

    await await_until(lambda: visitor.front.handshakes == 2, "another leader")
    await visitor.is_watching(tab)
    await sign_in_elsewhere()
    await is_told(tab)


@pytest.mark.parametrize("missing", ["Navigator.prototype.locks", "window.BroadcastChannel"])
async def test_inv4_without_locks_or_channels_each_tab_has_a_socket(
    visitor, sign_in_elsewhere, missing
):
    await visitor.context.add_init_script(f"delete {missing}")
    tabs = [await visitor.open() for _ in range(3)]
    await await_until(lambda: len(visitor.front.sockets) == 3, "three sockets")

    await sign_in_elsewhere()

    for tab in tabs:
        await is_told(tab)


async def test_inv4_a_tab_that_was_asleep_while_the_others_were_told_is_told(
    visitor, sign_in_elsewhere
):
    """It never hears what was relayed meanwhile, and the lock is free when it wakes."""
    await visitor.open()
    deaf = await visitor.context.new_page()
    await deaf.add_init_script("""
        Object.defineProperty(BroadcastChannel.prototype, "onmessage", { set() {} });
    """)
    await deaf.goto(visitor.front.url + PAGE)

    await sign_in_elsewhere()

    await is_told(deaf)


async def test_a_page_that_does_not_know_its_session_shares_the_socket(
    visitor, sign_in_elsewhere
):
    """Rendered by an async view in the event loop, which may not ask for the session."""
    tab = await visitor.open()
    session = await session_of(tab)
    visitor.front.edit("/private/", f'data-session="{session}"', 'data-session=""')
    unknowing = [await visitor.context.new_page() for _ in range(2)]
    for page in unknowing:
        async with page.expect_response("**/session/status/**"):
            await page.goto(visitor.front.url + PAGE)

    await sign_in_elsewhere()

    for page in [tab, *unknowing]:
        await is_told(page)
    assert visitor.front.handshakes == 1


@pytest.mark.server
async def test_a_visitor_who_is_not_signed_in_opens_no_socket(visitor, new_visitor):
    """The page was rendered in the event loop, which could not know that."""
    tab = await visitor.open()
    html = await tab.evaluate("fetch('/private/').then(response => response.text())")
    anonymous = await new_visitor()
    visitor.front.edits["/accounts/login/"] = lambda answer: (
        answer.split("\r\n\r\n")[0] + "\r\n\r\n" + html.replace(_session_in(html), "")
    )
    page = await anonymous.context.new_page()

    async with page.expect_response("**/session/status/**") as asked:
        await page.goto(f"{visitor.front.url}/accounts/login/")

    assert (await (await asked.value).json()) == {"code": "not_signed_in"}
    await shows(page, "alice")  # and no dialog
    assert visitor.front.handshakes == 1


def _session_in(html: str) -> str:
    return html.split('data-session="')[1].split('"')[0]


@pytest.mark.parametrize("suffix", [".js", ".js?v=2"])
async def test_a_tag_that_is_there_twice_counts_once(visitor, sign_in_elsewhere, suffix):
    tab = await visitor.open()
    tag = await tab.evaluate("document.querySelector('script[data-session]').outerHTML")
    await tab.close()
    again = tag.replace("data-session=", "data-copy-of=").replace(".js", suffix)
    visitor.front.edit("/private/", "</head>", f"{again}</head>")
    await visitor.context.add_init_script("delete Navigator.prototype.locks")

    tab = await visitor.open()

    assert await tab.locator("script[data-socket]").count() == 2
    assert visitor.front.handshakes == 2
    await _is_told_once(tab, sign_in_elsewhere)


async def test_a_tag_in_a_body_that_is_replaced_counts_once(visitor, sign_in_elsewhere):
    """Turbo and htmx run the scripts of the new body."""
    await visitor.context.add_init_script("delete Navigator.prototype.locks")
    tab = await visitor.open()

    await tab.evaluate("""() => {
      const old = document.querySelector("script[data-session]");
      const made = document.createElement("script");
      for (const { name, value } of old.attributes) made.setAttribute(name, value);
      old.remove();
      document.body.append(made);
      return new Promise((loaded) => { made.onload = loaded; });
    }""")

    assert visitor.front.handshakes == 1
    await _is_told_once(tab, sign_in_elsewhere)


async def _is_told_once(tab, sign_in_elsewhere) -> None:
    await sign_in_elsewhere()
    await is_told(tab)
    assert await tab.locator("#live-single-session").count() == 1
