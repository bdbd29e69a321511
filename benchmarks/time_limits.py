"""What limits in time cost: the same browsers at two sites, one of which has such limits.

Each browser has a websocket, and makes a request now and then: `... [BROWSERS SECONDS]`.
"""

import json
import sys
import time
from contextlib import ExitStack
from itertools import cycle

from benchmarks.crowd import Crowd
from benchmarks.measure import Servers, Site, load

PATH = "/ws/live-single-session/"
LIMITS = {"IDLE_SECONDS": 900, "LIFETIME_SECONDS": 43_200}
PAUSE = 30  # seconds between two requests of one browser


def run(browsers: int, seconds: float) -> dict[str, float]:
    """Return the seconds that each site has computed, and the ratio of them."""
    with ExitStack() as stack:
        servers = Servers(stack)
        sites = {"without": servers.site("ours"), "with": servers.site("ours")}
        sites["with"].daphne._env["LIVE_SINGLE_SESSION"] = json.dumps(LIMITS)
        cookies = {name: site.fill(browsers) for name, site in sites.items()}
        for name, site in sites.items():
            site.start()
            stack.enter_context(Crowd(site.port, PATH, cookies[name]))
        _browse(sites, cookies, browsers / PAUSE, PAUSE)  # each session's first record
        began = {name: site.cpu_seconds for name, site in sites.items()}
        _browse(sites, cookies, browsers / PAUSE, seconds)
        taken = {name: site.cpu_seconds - began[name] for name, site in sites.items()}
    return {**taken, "ratio": taken["with"] / taken["without"]}


def _browse(
    sites: dict[str, Site], cookies: dict[str, list[str]], per_second: float, seconds: float
) -> None:
    """Make as many requests at each site, by turns."""
    turns = cycle(range(min(map(len, cookies.values()))))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        turn, due = next(turns), time.monotonic() + 1 / per_second
        for name, site in sites.items():
            site.get("/private/", cookies[name][turn])
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    browsers, seconds = map(int, sys.argv[1:] or (5000, 300))
    print(run(browsers, seconds), load())
