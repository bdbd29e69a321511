"""All benchmarks, and their report: `python -m benchmarks.bench [PART ...] [--quick]`.

The report is benchmarks/results/bench.{json,md,png}; a part that is measured again takes the
place of what the report had of it.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import click, http, login, page, push, report, servers, sockets, tokens
from benchmarks.measure import load, machine

SOCKETS = dict.fromkeys(("inmemory", "redis", "pubsub"), (10, 1000, 5000))
RESULTS = Path(__file__).parent / "results"


def parts(quick: bool) -> dict[str, Callable[[], Any]]:
    if quick:
        return {
            "http": lambda: http.run(rounds=2, seconds=1),
            "page": lambda: page.run(rounds=3, requests=20),
            "login": lambda: asyncio.run(login.run((0, 10_000), logins=10)),
            "push": lambda: asyncio.run(
                push.run({"inmemory": (10,), "pubsub": (10,)}, logins=20)
            ),
            "sockets": lambda: sockets.run(count=200, rounds=1, idle_seconds=5),
            "servers": lambda: servers.run(count=100),
            "tokens": lambda: tokens.run(rounds=2, seconds=1),
            "click": lambda: asyncio.run(click.run(times=3)),
        }
    return {
        "http": lambda: http.run(rounds=5, seconds=2),
        "page": lambda: page.run(rounds=60, requests=30),
        "login": lambda: asyncio.run(login.run((0, 10_000, 1_000_000), logins=120)),
        "push": lambda: asyncio.run(push.run(SOCKETS, logins=40)),
        "sockets": lambda: sockets.run(count=5_000, rounds=1, idle_seconds=60),
        "servers": lambda: servers.run(count=2_000),
        "tokens": lambda: tokens.run(rounds=15, seconds=2),
        "click": lambda: asyncio.run(click.run(times=20)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *parts(False)])
    parser.add_argument("--quick", action="store_true", help="smaller numbers, to try it out")
    options = parser.parse_args()
    folder = RESULTS / "quick" if options.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    measures = parts(options.quick)
    for part in options.parts or measures:
        began = time.monotonic()
        print(f"{part}: load {load()}", flush=True)
        found[part] = {"machine": machine(), "found": measures[part]()}
        print(f"{part}: {time.monotonic() - began:.0f} s, load {load()}", flush=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
        report.write(found, folder)
    print(folder / "bench.md")


if __name__ == "__main__":
    main()
