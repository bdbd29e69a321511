"""Times a page with and without the package: `... asgi|wsgi PATH COOKIE ROUNDS REQUESTS`.

Without it the site has Django's session engine, and no middleware of ours. Prints the
milliseconds of computing for each request, of each round, as JSON. Under WSGI the site keeps
its connection to the database, as Django recommends there.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

HOST = "127.0.0.1"

Load = Callable[[Any, int], None]


def asgi_load(runner: asyncio.Runner, path: str, cookie: str) -> Load:
    """So many requests, one after the other, whose client waits for the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", HOST.encode()), (b"cookie", f"sessionid={cookie}".encode())],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }

    async def get(handler: Any) -> None:
        messages = [{"type": "http.request", "body": b""}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            return await asyncio.get_running_loop().create_future()

        async def send(message: dict[str, Any]) -> None:
            assert message.get("status", 200) == 200, message

        await handler(scope, receive, send)

    async def load(handler: Any, requests: int) -> None:
        for _ in range(requests):
            await get(handler)

    return lambda handler, requests: runner.run(load(handler, requests))


def wsgi_load(path: str, cookie: str) -> Load:
    """So many requests, one after the other."""

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        assert status == "200 OK", status

    def load(handler: Any, requests: int) -> None:
        for _ in range(requests):
            environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": HOST}
            environ["HTTP_COOKIE"] = f"sessionid={cookie}"
            setup_testing_defaults(environ)
            response = handler(environ, start_response)
            b"".join(response)
            response.close()

    return load


def time_by_turns(
    handlers: dict[str, Any], load: Load, rounds: int, requests: int
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in handlers}
    for round_ in range(rounds + 1):  # the first is to warm up
        for name in random.sample(list(handlers), len(handlers)):
            began = time.process_time()
            load(handlers[name], requests)
            if round_:
                taken[name].append(1000 * (time.process_time() - began) / requests)
    return taken


def main(interface: str, path: str, cookie: str, rounds: str, requests: str) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connections
    from django.test import override_settings

    engine = settings.SESSION_ENGINE.replace("live_single_session", "django.contrib.sessions")
    others = [name for name in settings.MIDDLEWARE if "live_single_session" not in name]
    assert engine != settings.SESSION_ENGINE
    assert len(others) < len(settings.MIDDLEWARE)
    handler: Any = ASGIHandler if interface == "asgi" else WSGIHandler
    handlers = {"ours": handler()}
    with override_settings(MIDDLEWARE=others, SESSION_ENGINE=engine):
        handlers["none"] = handler()
    if engine.endswith(".cache"):
        put_into_cache(cookie)
    if interface == "wsgi":
        connections.settings["default"]["CONN_MAX_AGE"] = None
    with asyncio.Runner() as runner:
        load = (
            asgi_load(runner, path, cookie) if interface == "asgi" else wsgi_load(path, cookie)
        )
        print(json.dumps(time_by_turns(handlers, load, int(rounds), int(requests))))


def put_into_cache(cookie: str) -> None:
    """Store a session of the database where the engine that has nothing else looks."""
    from django.contrib.sessions.backends import db
    from django.contrib.sessions.backends.cache import KEY_PREFIX
    from django.core.cache import cache

    cache.set(KEY_PREFIX + cookie, db.SessionStore(cookie).load(), timeout=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
