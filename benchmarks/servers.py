"""What an idle socket of the package costs behind each server, compressed or not."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.crowd import Crowd
from benchmarks.measure import Servers, load, resident
from tests.servers.daphne import Daphne
from tests.servers.web_servers import SERVERS, Uvicorn

PATH = "/ws/live-single-session/"
OFFER = "permessage-deflate; client_max_window_bits"  # as browsers do
WARM = 50


class PlainUvicorn(Uvicorn):
    """It takes no compression."""

    def command(self) -> list[str]:
        return [*super().command(), "--ws-per-message-deflate", "false"]


KINDS: dict[str, type[Daphne]] = {**SERVERS, "uvicorn, no compression": PlainUvicorn}


def run(count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"sockets": count, "load": load()}
    for name, kind in KINDS.items():
        found[name] = {
            "offered": _measure(kind, count, OFFER),
            "not offered": _measure(kind, count, ""),
        }
        print(name, found[name], file=sys.stderr)
    return found


def _measure(kind: type[Daphne], count: int, extension: str) -> dict[str, Any]:
    with ExitStack() as stack:
        site = Servers(stack).site("ours", layer="pubsub")
        site.daphne = kind("benchmarks.site.asgi:application", site.daphne.env)
        cookies = site.fill(count + WARM)
        site.start()
        stack.enter_context(Crowd(site.port, PATH, cookies[:WARM], extension))
        time.sleep(1)
        empty = _resident(site.daphne.pid)
        crowd = stack.enter_context(Crowd(site.port, PATH, cookies[WARM:], extension))
        time.sleep(2)
        full = _resident(site.daphne.pid)
        assert crowd.still_open() == count
        return {
            "KiB for each": (full - empty) / 1024 / count,
            "compressed": crowd.is_extended,
        }


def _resident(pid: int) -> int:
    """Return the memory of a process and its workers, in bytes."""
    found = resident(pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += sum(_resident(int(child)) for child in (task / "children").read_text().split())
    return found
