"""What an idle socket costs: memory, and computing with the re-checks on."""

import time
from contextlib import ExitStack
from typing import Any

from benchmarks.crowd import Crowd
from benchmarks.measure import Servers, load

OWN = "/ws/live-single-session/"
ROOM = "/ws/room/"
# What is beside what: the package's own socket, and its guard around somebody's consumer.
CASES = {
    "bare consumer in a group": ("bare", OWN),
    "the package's own": ("ours", OWN),
    "somebody's consumer": ("none", ROOM),
    "the same, guarded": ("guarded", ROOM),
}
YARDSTICKS = {
    "the package's own": "bare consumer in a group",
    "the same, guarded": "somebody's consumer",
}
WARM = 50


def run(count: int, rounds: int, idle_seconds: float) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case, (variant, path) in CASES.items():
            taken[case].append(_measure(variant, path, count, idle_seconds))
    found: dict[str, Any] = {"sockets": count, "idle seconds": idle_seconds, "load": load()}
    for case, measured in taken.items():
        found[case] = {
            name: sorted(one[name] for one in measured)[len(measured) // 2]
            for name in measured[0]
        }
    for case, yardstick in YARDSTICKS.items():
        memory = found[case]["KiB for each"], found[yardstick]["KiB for each"]
        found[case]["memory ratio"] = memory[0] / memory[1]
    return found


def _measure(variant: str, path: str, count: int, idle_seconds: float) -> dict[str, float]:
    with ExitStack() as stack:
        site = Servers(stack).site(variant, layer="pubsub")
        cookies = site.fill(count + WARM)
        site.start()
        stack.enter_context(Crowd(site.port, path, cookies[:WARM]))
        time.sleep(1)
        empty, began = site.resident, site.cpu_seconds
        crowd = stack.enter_context(Crowd(site.port, path, cookies[WARM:]))
        time.sleep(2)
        full = site.resident
        opened = site.cpu_seconds
        time.sleep(idle_seconds)
        idle = site.cpu_seconds - opened
        assert crowd.still_open() == count
    return {
        "KiB for each": (full - empty) / 1024 / count,
        "cpu ms to open": 1000 * (opened - began) / count,
        "cpu percent idle": 100 * idle / idle_seconds if idle_seconds else 0.0,
    }
