"""A server is killed and comes back: so do all its clients, and not in one stampede."""

import time
from collections import Counter
from collections.abc import Iterable

from playwright.async_api import Page

from tests.servers.waiting import await_until
from tests.site.people import credentials

BROWSERS = 4
CLIENTS_PER_BROWSER = 50  # frames, each of which is a client: 200 tabs are a heavy load
BOUND = 6  # seconds
# Busy machines run timers late. Pauses without a bound are longer than this and BOUND together:
# the third is up to 16 seconds.
LATE = 6  # seconds
PATIENCE = 60  # seconds; a test that gets there has failed

# Without locks and channels each frame has a socket of its own, as each browser has.
A_CLIENT = """
    delete Navigator.prototype.locks;
    delete window.BroadcastChannel;

    window.tries = [];
    window.WebSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        const attempt = { at: Date.now() / 1000, ready: false };
        tries.push(attempt);
        this.addEventListener("message", ({ data }) => {
          attempt.ready = JSON.parse(data).type === "session.ready";
        });
      }
    };
"""

OPEN_FRAMES = """count => {
    for (let number = 0; number < count; number += 1) {
      document.body.append(document.createElement("iframe"));
      document.body.lastChild.src = "/private/";
    }
}"""

TRIES = "Array.from(frames, ({ tries }) => tries ?? [])"

ALL_ARE_TOLD = """
    Array.from(frames).every(({ document }) => document.querySelector("#live-single-session"))
"""


async def test_inv4_two_hundred_clients_of_a_killed_server_come_back_one_by_one(
    redis, start_daphne, site_database, new_browser_context
):
    daphne = start_daphne(
        DATABASE_URL=site_database("sqlite"),
        REDIS_URL=redis.url,
        CHANNEL_LAYER="pubsub",
        LIVE_SINGLE_SESSION={"LIMIT": BROWSERS, "RECHECK_SECONDS": BOUND},
    )
    pages = [await _sign_in(await new_browser_context(), daphne.url) for _ in range(BROWSERS)]
    for page in pages:
        await page.evaluate(OPEN_FRAMES, CLIENTS_PER_BROWSER)
    await await_until(lambda: _all_ready(pages), "all clients to be ready", PATIENCE)

    daphne.kill()
    killed = time.time()
    await await_until(
        lambda: _all_have_tried(pages), "all clients to have tried in vain", PATIENCE
    )
    daphne.restart()
    up = time.time()
    await await_until(lambda: _all_ready(pages), "all clients to be back", PATIENCE)

    clients = await _tries_of(pages)
    first_tries = [tries[1]["at"] for tries in clients]
    came_back = [tries[-1]["at"] for tries in clients]
    assert max(came_back) < up + BOUND + LATE
    assert _most_in_a_tenth(came_back, since=up, seconds=BOUND) < len(clients) / 3
    assert _most_in_a_tenth(first_tries, since=killed, seconds=4) < len(clients) / 3

    await _sign_in(await new_browser_context(), daphne.url)  # in the place of the first
    await await_until(
        lambda: pages[0].evaluate(ALL_ARE_TOLD), "its clients to be told", PATIENCE
    )


async def _sign_in(context, url: str) -> Page:
    await context.add_init_script(A_CLIENT)
    response = await context.request.post(f"{url}/api/login/", data=credentials("alice"))
    assert response.ok, await response.text()
    page = await context.new_page()
    await page.goto(f"{url}/whoami/")
    return page


async def _tries_of(pages: Iterable[Page]) -> list[list[dict]]:
    """For each client: when it has tried to open a socket, and whether it became ready."""
    return [tries for page in pages for tries in await page.evaluate(TRIES)]


async def _all_ready(pages: Iterable[Page]) -> bool:
    return all(tries and tries[-1]["ready"] for tries in await _tries_of(pages))


async def _all_have_tried(pages: Iterable[Page]) -> bool:
    return all(len(tries) > 1 for tries in await _tries_of(pages))


def _most_in_a_tenth(moments: Iterable[float], *, since: float, seconds: float) -> int:
    return max(Counter((moment - since) * 10 // seconds for moment in moments).values())
