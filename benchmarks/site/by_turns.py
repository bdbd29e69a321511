"""Times a page with the package and without, by turns: `... PATH COOKIE ROUNDS REQUESTS`.

Without it the site has Django's session engine, and no middleware of ours. Prints the
milliseconds of computing for each request, of each round, as JSON.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

HOST = b"127.0.0.1"


async def load(handler: Any, path: str, cookie: str) -> None:
    """One request, whose client waits for the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", HOST), (b"cookie", f"sessionid={cookie}".encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }
    messages = [{"type": "http.request", "body": b""}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    await handler(scope, receive, send)


async def time_by_turns(
    handlers: dict[str, Any], path: str, cookie: str, rounds: int, requests: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in handlers}
    for round_ in range(rounds + 1):  # the first is to warm up
        for name in random.sample(list(handlers), len(handlers)):
            began = time.process_time()
            for _ in range(requests):
                await load(handlers[name], path, cookie)
            if round_:
                taken[name].append(1000 * (time.process_time() - began) / requests)
    return taken


def main(path: str, cookie: str, rounds: str, requests: str) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.test import override_settings

    engine = settings.SESSION_ENGINE.replace("live_single_session", "django.contrib.sessions")
    others = [name for name in settings.MIDDLEWARE if "live_single_session" not in name]
    assert engine != settings.SESSION_ENGINE
    assert len(others) < len(settings.MIDDLEWARE)
    handlers = {"ours": ASGIHandler()}
    with override_settings(MIDDLEWARE=others, SESSION_ENGINE=engine):
        handlers["none"] = ASGIHandler()
    if engine.endswith(".cache"):
        put_into_cache(cookie)
    taken = time_by_turns(handlers, path, cookie, int(rounds), int(requests))
    print(json.dumps(asyncio.run(taken)))


def put_into_cache(cookie: str) -> None:
    """Store a session of the database where the engine that has nothing else looks."""
    from django.contrib.sessions.backends import db
    from django.contrib.sessions.backends.cache import KEY_PREFIX
    from django.core.cache import cache

    cache.set(KEY_PREFIX + cookie, db.SessionStore(cookie).load(), timeout=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
