"""How long after a login was sent does the old tab hear of it, with many other tabs open?"""

import asyncio
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.crowd import Crowd, Silent, handshake
from benchmarks.measure import Servers, Site, load, ratios, shuffled, spread
from tests.helpers.http_client import HttpClient
from tests.site.people import PASSWORD

PATH = "/ws/live-single-session/"
VARIANTS = ("bare", "ours")


class Listener(Silent):
    """The old tab."""

    __slots__ = ("heard",)

    def __init__(self, request: bytes) -> None:
        super().__init__(request)
        self.heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if self.ready.done() and b"session.ended" in data and not self.heard.done():
            self.heard.set_result(time.perf_counter())
        super().data_received(data)


async def run(crowds_of: dict[str, tuple[int, ...]], logins: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer, crowds in crowds_of.items():
        found[layer] = {}
        for others in crowds:
            found[layer][str(others)] = await _measure(layer, others, logins)
    return found


async def _measure(layer: str, others: int, logins: int) -> dict[str, Any]:
    with ExitStack() as stack:
        servers = Servers(stack)
        sites = {variant: servers.site(variant, layer=layer) for variant in VARIANTS}
        taken: dict[str, list[float]] = {variant: [] for variant in sites}
        answered: dict[str, list[float]] = {variant: [] for variant in sites}
        crowds = []
        for site in sites.values():
            cookies = site.fill(others + 1)
            site.start()
            crowds.append(stack.enter_context(Crowd(site.port, PATH, cookies[1:])))
        for number in range(logins + 5):
            for variant in shuffled(sites):
                heard, done = await _supersede(sites[variant])
                if number >= 5:
                    taken[variant].append(1000 * heard)
                    answered[variant].append(1000 * done)
        left = [crowd.still_open() for crowd in crowds]
        assert left == [others] * len(left), left
    return {
        "load": load(),
        "variants": {
            variant: {
                "ms": spread(values),
                "login ms": spread(answered[variant]),
                "ratio": ratios(values, taken["bare"]),
                "added ms": spread([a - b for a, b in zip(values, taken["bare"], strict=True)]),
            }
            for variant, values in taken.items()
        },
    }


async def _supersede(site: Site) -> tuple[float, float]:
    """Sign in, open a tab, sign in elsewhere; how long until the tab, and the login, heard?"""
    body = {"username": "user0", "password": PASSWORD}
    old, new = HttpClient(), HttpClient()
    await old.post(site.port, "/async/login/", body)
    request = handshake(site.port, PATH, old.cookies["sessionid"])
    transport, tab = await asyncio.get_running_loop().create_connection(
        lambda: Listener(request), "127.0.0.1", site.port
    )
    await tab.ready
    await new.get(site.port, "/public/")  # its connection is open
    began = time.perf_counter()
    answer = await new.post(site.port, "/async/login/", body)
    answered = time.perf_counter() - began
    assert answer.status == 200, site.daphne.log[-3000:]
    heard = await asyncio.wait_for(tab.heard, 10) - began
    transport.close()
    old.close()
    new.close()
    return heard, answered
