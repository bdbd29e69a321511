"""What a page computes, in one process that has the package and has it not by turns.

Two processes of the same site differ by more than what is to be told apart here.
"""

import json
from contextlib import ExitStack
from typing import Any

from benchmarks.http import PAGES
from benchmarks.measure import ENGINES, Servers, Site, load, ratios, spread

WSGI = {"sync view, under WSGI": "/private/", "public, under WSGI": "/public/"}


def run(rounds: int, requests: int) -> dict[str, Any]:
    engines = {}
    with ExitStack() as stack:
        servers = Servers(stack)
        for engine in ENGINES:
            engines[engine] = _pages_of(servers.site("ours", engine), rounds, requests)
    return {"load": load(), "requests": requests, "engines": engines}


def _pages_of(site: Site, rounds: int, requests: int) -> dict[str, Any]:
    cookie = site.fill(1)[0]
    pages = {}
    for page, path in (PAGES | WSGI).items():
        interface = "wsgi" if page in WSGI else "asgi"
        said = site.run("benchmarks.site.by_turns", interface, path, cookie, rounds, requests)
        taken = json.loads(said)
        pages[page] = {
            **{name: spread(values) for name, values in taken.items()},
            "ratio": ratios(taken["ours"], taken["none"]),
        }
    return pages
