"""The topology of docker-compose.yml: two nodes behind nginx, seen with a browser.

nginx gives each of the demo's two host names a node of its own, and the other node when
that one is gone: on left.demo.localhost one is on node 1, on right.demo.localhost on node 2.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from demo.users import DEMO_USERS
from tests.deployment.compose import HOSTS, SERVICES, Topology
from tests.helpers.visitor import fill_in
from tests.servers.waiting import await_until

PASSWORDS = {user.username: user.password for user in DEMO_USERS}
LEFT, RIGHT = HOSTS


class Tab:
    """A page of the demo, and what its websocket has said."""

    def __init__(self, page: Page, topology: Topology, host: str) -> None:
        self.page = page
        self.url = f"http://{host}:{topology.port}"
        self.frames: list[str] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._hear))

    def _hear(self, frame: str | bytes) -> None:
        self.frames.append(json.loads(frame)["type"])

    async def sign_in(self, name: str) -> None:
        await self.page.goto(f"{self.url}/login/")
        await fill_in(self.page, name, PASSWORDS[name])
        await self.page.wait_for_url(f"{self.url}/")

    async def is_watching(self, times: int = 1) -> None:
        """Until its socket has been ready so often: once more for each reconnection."""
        await await_until(lambda: self.frames.count("session.ready") >= times, "a socket")

    async def is_told(self) -> None:
        dialog = self.page.get_by_role("alertdialog")
        await expect(dialog).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(
    new_browser_context: Callable[..., Awaitable[BrowserContext]], topology: Topology
) -> Callable[[str], Awaitable[Tab]]:
    """`await open_tab(LEFT)`: a tab in a browser of its own, at one of the two nodes."""

    async def open_at(host: str) -> Tab:
        context = await new_browser_context()
        return Tab(await context.new_page(), topology, host)

    return open_at


async def test_inv4_sign_in_on_one_node_is_told_to_the_tab_on_the_other(open_tab, topology):
    first, second = topology.nodes
    watched, signed_in = first.sockets_opened, second.log.count("POST /login/")
    left, right = await open_tab(LEFT), await open_tab(RIGHT)
    await left.sign_in("alice")
    await left.is_watching()
    assert first.sockets_opened == watched + 1

    await right.sign_in("alice")

    await left.is_told()
    assert second.log.count("POST /login/") == signed_in + 1
    await right.is_watching()
    await right.page.reload()
    await expect(right.page.get_by_role("heading", name="Hello, alice")).to_be_visible()


async def test_demo_shows_both_nodes_side_by_side(new_browser_context, topology):
    page = await (await new_browser_context()).new_page()
    await page.goto(f"http://demo.localhost:{topology.port}/")
    left, right = page.frame("left"), page.frame("right")
    assert left is not None
    assert right is not None
    for frame in (left, right):
        await frame.get_by_role("link", name="Sign in").first.click()
        await fill_in(frame, "bob", PASSWORDS["bob"])
        await expect(frame.get_by_role("heading", name="Hello, bob")).to_be_visible()

    await expect(left.get_by_role("alertdialog")).to_be_visible()
    await expect(right.get_by_role("alertdialog")).to_have_count(0)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_inv4_clients_of_a_node_that_is_gone_are_told_through_the_other(
    end, open_tab, topology
):
    first, second = topology.nodes
    left, right = await open_tab(LEFT), await open_tab(RIGHT)
    await left.sign_in("alice")
    await left.is_watching()
    opened = second.sockets_opened

    getattr(first, end)()

    await left.is_watching(times=2)
    assert second.sockets_opened == opened + 1
    await right.sign_in("alice")
    await left.is_told()


async def test_inv4_what_happens_while_a_client_has_no_node_is_told_when_it_has(
    open_tab, topology
):
    left, right = await open_tab(LEFT), await open_tab(RIGHT)
    await left.sign_in("alice")
    await left.is_watching()
    await right.page.goto(f"{right.url}/login/")

    topology.nodes[0].kill()
    await fill_in(right.page, "alice", PASSWORDS["alice"])

    await left.is_told()


async def test_pages_come_from_the_other_node_while_one_is_gone(open_tab, topology):
    left = await open_tab(LEFT)
    await left.sign_in("alice")
    topology.nodes[0].kill()

    await left.page.reload()

    await expect(left.page.get_by_role("heading", name="Hello, alice")).to_be_visible()


# What a client says of itself, over HTTP


@asynccontextmanager
async def client(topology: Topology, address: str = "127.0.0.1"):
    transport = httpx.AsyncHTTPTransport(local_address=address)
    url = f"http://127.0.0.1:{topology.port}"
    async with httpx.AsyncClient(transport=transport, base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "203.0.113.9, 127.0.0.1"},
        {"Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"},
    ],
)
async def test_registry_has_the_address_that_nginx_saw(forged, topology):
    async with client(topology, "127.0.0.7") as browser:
        page = await browser.get("/login/", headers=forged)
        token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        posted = {"username": "carol", "password": PASSWORDS["carol"]}
        answer = await browser.post(
            "/login/", data={**posted, "csrfmiddlewaretoken": token}, headers=forged
        )
        assert answer.status_code == 302

    newest = """
        SELECT host(ip) FROM live_single_session_usersession session
        JOIN auth_user ON auth_user.id = session.user_id
        WHERE username = 'carol' ORDER BY serial DESC LIMIT 1
    """
    assert topology.select(newest) == topology.address_of_client("127.0.0.7")


async def test_client_cannot_claim_to_have_come_over_https(topology):
    """Else a proxy's word for it would be anybody's word."""
    async with client(topology) as browser:
        answer = await browser.get("/login/", headers={"X-Forwarded-Proto": "https"})
        page = answer.text
        token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        answer = await browser.post(
            "/login/",
            data={"csrfmiddlewaretoken": token, "username": "", "password": ""},
            headers={
                "X-Forwarded-Proto": "https",
                "Origin": f"https://127.0.0.1:{topology.port}",
            },
        )
    assert answer.status_code == 403  # the origin is not the site's, which is http


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        # By nginx's own list of types, which has changed its mind about scripts.
        ("live-single-session.js", {"text/javascript", "application/javascript"}),
        ("live-single-session.css", {"text/css"}),
    ],
)
async def test_nginx_serves_the_static_files(path, kinds, topology):
    seen = [node.asked_for("/static/") for node in topology.nodes]
    async with client(topology) as browser:
        answer = await browser.get(f"/static/live_single_session/{path}")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] in kinds
    assert [node.asked_for("/static/") for node in topology.nodes] == seen


def test_health_checks_of_compose_tell_a_node_that_serves_from_one_that_does_not(topology):
    topology.nodes[1].kill()

    checks = [node.check_health() for node in topology.nodes]

    assert [check.returncode for check in checks] == [0, 1], [check.stderr for check in checks]


def test_health_check_of_nginx_asks_for_what_nginx_answers_itself(topology):
    *_how, url = SERVICES["nginx"]["healthcheck"]["test"]
    assert url == "http://127.0.0.1:8000/healthz/nginx"
    seen = [node.asked_for("/healthz/") for node in topology.nodes]
    assert httpx.get(f"{topology.nginx.url}/healthz/nginx").text == "ok\n"
    assert [node.asked_for("/healthz/") for node in topology.nodes] == seen


async def test_node_with_open_tabs_stops_before_it_would_be_killed(open_tab, topology):
    node = topology.nodes[0]
    left = await open_tab(LEFT)
    await left.sign_in("alice")
    await left.is_watching()
    grace = int(SERVICES[node.name]["stop_grace_period"].removesuffix("s"))

    node.terminate()

    await await_until(lambda: not node.is_running, "the node to stop", seconds=grace)
