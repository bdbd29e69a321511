"""What an idle socket costs: memory, and computing with the re-checks on."""

import time
from contextlib import ExitStack
from typing import Any

from benchmarks.crowd import Crowd
from benchmarks.measure import Servers, Site, load

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
        for pair in YARDSTICKS.items():
            for case, measured in _measure(pair, count, idle_seconds).items():
                taken[case].append(measured)
    found: dict[str, Any] = {"sockets": count, "idle seconds": idle_seconds, "load": load()}
    for case, measures in taken.items():
        found[case] = {
            name: sorted(one[name] for one in measures)[len(measures) // 2]
            for name in measures[0]
        }
    for case, yardstick in YARDSTICKS.items():
        ours, other = found[case], found[yardstick]
        ours["memory ratio"] = ours["KiB for each"] / other["KiB for each"]
        if other["cpu percent idle"]:
            ours["idle ratio"] = ours["cpu percent idle"] / other["cpu percent idle"]
    return found


def _measure(
    cases: tuple[str, ...], count: int, idle_seconds: float
) -> dict[str, dict[str, float]]:
    """Open the sockets of one case after the other; all are idle at the same time."""
    with ExitStack() as stack:
        servers, found, open_at = Servers(stack), {}, {}
        sites: dict[str, Site] = {}
        for case in cases:
            variant, path = CASES[case]
            site = sites[case] = servers.site(variant, layer="pubsub")
            cookies = site.fill(count + WARM)
            site.start()
            stack.enter_context(Crowd(site.port, path, cookies[:WARM]))
            time.sleep(1)
            empty, began = site.resident, site.cpu_seconds
            crowd = stack.enter_context(Crowd(site.port, path, cookies[WARM:]))
            open_at[case] = crowd
            time.sleep(2)
            found[case] = {
                "KiB for each": (site.resident - empty) / 1024 / count,
                "cpu ms to open": 1000 * (site.cpu_seconds - began) / count,
            }
        before = {case: site.cpu_seconds for case, site in sites.items()}
        time.sleep(idle_seconds)
        for case, site in sites.items():
            idle = site.cpu_seconds - before[case]
            found[case]["cpu percent idle"] = 100 * idle / idle_seconds if idle_seconds else 0.0
            assert open_at[case].still_open() == count
        return found
