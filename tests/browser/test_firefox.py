"""The same in Firefox, for what depends on the browser."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.helpers.front import Front
from tests.helpers.people import people
from tests.helpers.visitor import CSP, HURRY, PAGE
from tests.servers.daphne import Daphne
from tests.servers.firefox import Firefox, Tab
from tests.servers.waiting import await_until
from tests.site.people import PASSWORD, credentials

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = "</title>"

SIGN_IN = """
    const [url, names] = arguments;
    return fetch(url, { method: "POST", body: JSON.stringify(names) })
      .then((response) => response.status);
"""

FILL_IN = """
    const [name, password] = arguments;
    document.querySelector("#id_username").value = name;
    document.querySelector("#id_password").value = password;
    document.querySelector("#sign-in").click();
"""

TITLE_OF_DIALOG = """
    const dialog = document.querySelector("#live-single-session")?.shadowRoot.firstChild;
    const isSeen = dialog?.open && dialog.checkVisibility({ visibilityProperty: true });
    return isSeen ? dialog.querySelector("h2").textContent : "";
"""

LINK_OF_DIALOG = """
    return document.querySelector("#live-single-session").shadowRoot.querySelector("a").href;
"""

NOTE_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
      violations.push(violatedDirective));
"""


@dataclass
class Visitor:
    """Alice, in Firefox."""

    firefox: Firefox
    front: Front

    async def sign_in(self, name: str = "alice") -> Tab:
        """Sign in, and return the tab in which that happened; the package isn't in it."""
        tab = await self.firefox.open_tab()
        await tab.goto(f"{self.front.url}/accounts/login/")
        assert await tab.run(SIGN_IN, "/api/login/", credentials(name)) == 200
        return tab

    async def open(self, path: str = PAGE) -> Tab:
        tab = await self.firefox.open_tab()
        await tab.goto(self.front.url + path)
        await self.is_watching(tab)
        return tab

    async def is_watching(self, tab: Tab) -> None:
        session = await tab.run(
            "return document.querySelector('script[data-session]').dataset.session"
        )
        await await_until(lambda: self.front.of(session), f"a socket for {session}")


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    firefox = Firefox()
    try:
        firefox.start()
        yield firefox
    finally:
        firefox.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(firefox: Firefox, front: Front) -> Visitor:
    await firefox.renew()
    visitor = Visitor(firefox, front)
    await visitor.sign_in()
    return visitor


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in_elsewhere(daphne: Daphne) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    async with people(daphne, "alice") as [alice]:
        yield alice.sign_in


async def test_inv4_the_tabs_share_a_socket_and_all_are_told(visitor, sign_in_elsewhere):
    tabs = [await visitor.open() for _ in range(4)]
    assert len(visitor.front.sockets) == visitor.front.handshakes == 1
    await tabs[0].run("document.querySelector('#draft').value = 'not saved yet'")

    await sign_in_elsewhere()

    for tab in tabs:
        await _is_told(tab)
    assert await tabs[0].run("return document.querySelector('#draft').value") == "not saved yet"
    assert (
        await tabs[0].run(
            "return document.activeElement.id || document.activeElement.localName"
        )
        == "live-single-session"
    )
    assert visitor.front.handshakes == 1


async def test_inv4_when_the_leader_is_closed_another_tab_takes_over(
    visitor, sign_in_elsewhere
):
    """Firefox may run the page of a closed tab for a while: then that one still tells them."""
    leader = await visitor.open()
    tabs = [await visitor.open() for _ in range(2)]

    await leader.close()
    await sign_in_elsewhere()

    for tab in tabs:
        await _is_told(tab)


async def test_inv4_a_page_that_is_gone_back_to_after_its_end_is_told(
    visitor, sign_in_elsewhere
):
    """Firefox keeps no page that holds or awaits a lock: it makes this one afresh."""
    tab = await visitor.open()
    await tab.goto(f"{visitor.front.url}{PAGE}?next")
    await visitor.is_watching(tab)
    await sign_in_elsewhere()
    await _is_told(tab)

    await tab.go_back()

    assert await tab.run("return location.search") == ""
    await _is_told(tab)


async def test_inv4_told_by_polling_where_websockets_are_blocked(visitor, sign_in_elsewhere):
    visitor.front.websockets = "refuse"
    _write_into_pages(visitor.front, f"<script>{HURRY}</script>")
    tab = await visitor.firefox.open_tab()
    await tab.goto(visitor.front.url + PAGE)
    await await_until(lambda: visitor.front.checks() > 1, "the page to poll", seconds=60)

    await sign_in_elsewhere()

    await _is_told(tab)
    assert not visitor.front.sockets


async def test_tabs_left_behind_come_back_when_the_user_signs_in_again(
    visitor, sign_in_elsewhere
):
    tabs = [await visitor.open() for _ in range(3)]
    await sign_in_elsewhere()
    for tab in tabs:
        await _is_told(tab)

    await tabs[0].goto(await tabs[0].run(LINK_OF_DIALOG))
    await tabs[0].run(FILL_IN, "alice", PASSWORD)

    for tab in tabs:
        await _shows(tab, "alice")
    await visitor.is_watching(tabs[0])
    await await_until(lambda: len(visitor.front.sockets) == 1, "one socket again")


async def test_works_under_a_strict_csp_and_trusted_types(visitor, sign_in_elsewhere):
    """Firefox asks for the site's icon on behalf of the page, hence `img-src`."""
    policy = f"{CSP}; img-src 'self'"
    _write_into_pages(visitor.front, '<script src="/whoami/"></script>', csp=policy)
    visitor.front.edits["/whoami/"] = lambda answer: (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n\r\n{NOTE_VIOLATIONS}"
    )
    tab = await visitor.open()

    await sign_in_elsewhere()

    await _is_told(tab)
    background = await tab.run("""
        const { shadowRoot } = document.querySelector("#live-single-session");
        return getComputedStyle(shadowRoot.firstChild).backgroundColor;
    """)
    assert background == "rgb(255, 255, 255)"
    assert await tab.run("return window.violations") == []


SWALLOW = """
    for (const type of ["click", "mousedown", "keydown", "focusin"]) {
      document.addEventListener(type, (event) => {
        event.preventDefault();
        event.stopImmediatePropagation();
      }, true);
    }
"""

CLICK = 'document.querySelector("#live-single-session").shadowRoot.querySelector("a").click();'


async def test_inv4_the_dialog_is_in_reach_whatever_the_page_hides_and_swallows(
    visitor, sign_in_elsewhere
):
    style = "<style>html > :not(head, body) { display: none !important }</style>"
    _write_into_pages(visitor.front, f"{style}<script>{SWALLOW}</script>")
    tab = await visitor.open()
    await sign_in_elsewhere()
    await _is_told(tab)
    await tab.run('document.querySelector("#live-single-session").remove();')
    await _is_told(tab)
    await asyncio.sleep(1)  # the time that it takes to look up

    await tab.run(CLICK)

    async def address() -> bool:
        return "/accounts/login/" in (await tab.run("return location.href") or "")

    await await_until(address, "the login page")


async def test_inv4_inv9_a_document_lives_through_several_sessions(visitor, sign_in_elsewhere):
    """Who signs out by fetch in this tab is told nothing; the next session is watched."""
    tab = await visitor.open()
    await tab.run("liveSingleSession.stop(); return fetch('/api/logout/', {method: 'POST'});")
    await await_until(lambda: not visitor.front.sockets, "the socket to be closed")
    assert await tab.run(SIGN_IN, "/api/login/", credentials("alice")) == 200

    await tab.run("liveSingleSession.start();")

    await await_until(lambda: len(visitor.front.sockets) == 1, "the session to be watched")
    assert not await tab.run(TITLE_OF_DIALOG)
    await sign_in_elsewhere()
    await _is_told(tab)


async def test_inv4_a_policy_that_forbids_the_socket_is_noticed_at_once(
    visitor, sign_in_elsewhere
):
    _write_into_pages(visitor.front, "", csp="connect-src http:")
    tab = await visitor.firefox.open_tab()

    await tab.goto(visitor.front.url + PAGE)

    await await_until(lambda: visitor.front.checks() > 0, "the page to ask", seconds=5)
    await sign_in_elsewhere()
    await tab.run("document.dispatchEvent(new Event('visibilitychange'));")
    await _is_told(tab)


async def _is_told(tab: Tab) -> None:
    async def title() -> str:
        return await tab.run(TITLE_OF_DIALOG)

    assert await await_until(title, "the dialog") == "You’ve been signed out here"


async def _shows(tab: Tab, name: str) -> None:
    async def is_shown() -> bool:
        user = await tab.run("return document.querySelector('#user')?.textContent")
        return user == name and not await tab.run(TITLE_OF_DIALOG)

    await await_until(is_shown, f"the page of {name}")


def _write_into_pages(front: Front, markup: str, csp: str | None = None) -> None:
    def change(answer: str) -> str:
        head, _, page = answer.partition("\r\n\r\n")
        policy = f"\r\nContent-Security-Policy: {csp}" if csp else ""
        return f"{head}{policy}\r\n\r\n{page.replace(HEAD, HEAD + markup, 1)}"

    front.edits[PAGE] = change
