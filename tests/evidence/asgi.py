"""The test site, which also tells what it has inside: `/inside/`."""

import asyncio
import gc
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from tests.asgi import application as site


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/inside/":
        body = json.dumps(inside()).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    else:
        await site(scope, receive, send)


def inside() -> dict[str, Any]:
    """What this process holds on to."""
    from live_single_session.watch import get_watch

    gc.collect()
    watch = get_watch()
    tasks = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return {
        "tasks": sum(tasks.values()),
        "kinds": dict(tasks.most_common(8)),
        "threads": threading.active_count(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "watched": len(watch._entries),
        "groups": len(watch._groups),
        "resident": resident(),
    }


def resident() -> int:
    """The resident memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmRSS")
