"""The test site, which also tells what it has inside: `/inside/`."""

import asyncio
import gc
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

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
    from live_single_session.realtime.watcher import get_watcher

    gc.collect()
    watch = get_watcher()
    objects = Counter(type(thing).__qualname__ for thing in gc.get_objects() if is_ours(thing))
    tasks = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return {
        "tasks": sum(tasks.values()),
        "kinds": dict(tasks.most_common(8)),
        "objects": sum(objects.values()),
        "kinds of objects": dict(objects.most_common(8)),
        "threads": threading.active_count(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "watched": len(watch._waiters),
        "groups": len(watch._groups),
        "resident": resident(),
    }


def is_ours(thing: object) -> bool:
    """Whether this is one of those that a request or a socket brings with it."""
    from django.contrib.sessions.backends.base import SessionBase
    from django.http import HttpRequest

    from live_single_session.models import UserSession
    from live_single_session.realtime.cutoff import Connection
    from live_single_session.realtime.watcher import Waiter

    brought = (HttpRequest, SessionBase, UserSession, Waiter, Connection, WebSocketProtocol)
    return issubclass(type(thing), brought)  # a lazy object would be evaluated to be asked


def resident() -> int:
    """The resident memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmRSS")
