"""A server is killed and comes back: so do all its clients, and not in one stampede."""

from collections import Counter
from collections.abc import Iterable

from playwright.async_api import Page

from tests.servers.waiting import await_until
from tests.site.people import credentials

BROWSERS = 4
CLIENTS_PER_BROWSER = 50  # frames, each of which is a client: 200 tabs are a heavy load
BOUND = 6  # seconds, of each pause; without it the third would be up to 16 seconds
PATIENCE = 60  # seconds; a test that gets there has failed

# Without locks and channels each frame has a socket of its own, as each browser has. What
# counts is how long each pause was meant to be: busy machines run timers late. A handshake may
# take 10 seconds, which is no pause; nor is a silence of minutes.
A_CLIENT = """
    delete Navigator.prototype.locks;
    delete window.BroadcastChannel;

    window.tries = [];
    window.pauses = [];
    const wait = window.setTimeout;
    window.setTimeout = (action, ms, ...rest) => {
      if (ms < 100000 && ms !== 10000) pauses.push(ms / 1000);
      return wait(action, ms, ...rest);
    };

    window.WebSocket = class extends WebSocket {
      constructor(url) {
        super(url);
        const attempt = { ready: false };
        tries.push(attempt);
        this.addEventListener("message", ({ data }) => {
          attempt.ready ||= JSON.parse(data).type === "session.ready";
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
PAUSES = "Array.from(frames, ({ pauses }) => pauses)"

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
    await await_until(
        lambda: _all_have_tried(pages), "all clients to have tried in vain", PATIENCE
    )
    daphne.restart()
    await await_until(lambda: _all_ready(pages), "all clients to be back", PATIENCE)

    clients = [pauses for page in pages for pauses in await page.evaluate(PAUSES)]
    assert len(clients) == BROWSERS * CLIENTS_PER_BROWSER
    assert max(max(pauses) for pauses in clients) <= BOUND
    for pauses in ([first for first, *_ in clients], [last for *_, last in clients]):
        assert _most_in_a_tenth(pauses, seconds=4) < len(clients) / 3

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
    """For each client: its tries to open a socket, and whether each became ready."""
    return [tries for page in pages for tries in await page.evaluate(TRIES)]


async def _all_ready(pages: Iterable[Page]) -> bool:
    return all(tries and tries[-1]["ready"] for tries in await _tries_of(pages))


async def _all_have_tried(pages: Iterable[Page]) -> bool:
    return all(len(tries) > 1 for tries in await _tries_of(pages))


def _most_in_a_tenth(pauses: Iterable[float], *, seconds: float) -> int:
    return max(Counter(pause * 10 // seconds for pause in pauses).values())
