"""What the middleware adds to a request, in one process that has it and has it not by turns.

Two processes of the same site differ by more than what is to be told apart here.
"""

import json
from contextlib import ExitStack
from typing import Any

from benchmarks.http import PAGES
from benchmarks.measure import Servers, load, ratios, spread


def run(rounds: int, requests: int) -> dict[str, Any]:
    with ExitStack() as stack:
        site = Servers(stack).site("ours")
        cookie = site.fill(1)[0]
        pages = {}
        for page, path in PAGES.items():
            said = site.run("benchmarks.site.by_turns", path, cookie, rounds, requests)
            taken = json.loads(said)
            pages[page] = {
                **{name: spread(values) for name, values in taken.items()},
                "ratio": ratios(taken["ours"], taken["none"]),
            }
        return {"load": load(), "requests": requests, "pages": pages}
