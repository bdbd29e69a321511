"""How many of 1,000 tabs in one process hear of a burst at once, by channel layer.

All users of a process are superseded in the same second by another process. Prints, for
each layer and configuration, how many tabs were told by the push and how many only by
the re-check.

    .venv/bin/python -m benchmarks.burst
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

from tests.servers.redis import RedisServer

USERS = 1000
RECHECK_SECONDS = 10

SETUPS: dict[str, dict[str, Any]] = {
    "core, defaults (capacity 100)": {"CHANNEL_LAYER": "redis"},
    "core, capacity 2,000": {
        "CHANNEL_LAYER": "redis",
        "CHANNEL_LAYER_CONFIG": {"capacity": 2000},
    },
    "pub/sub, defaults": {"CHANNEL_LAYER": "pubsub"},
}


def main() -> None:
    redis = RedisServer()
    with closing(redis):
        redis.start()
        print(
            "| channel layer | told at once | by the re-check | seconds until the last push |"
        )
        print("| --- | ---: | ---: | ---: |")
        for name, setup in SETUPS.items():
            print(f"| {name} | {_measure(redis, setup)} |", flush=True)


def _measure(redis: RedisServer, setup: dict[str, Any]) -> str:
    redis.renew()
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": f"sqlite:///{Path(directory) / 'db.sqlite3'}",
            "REDIS_URL": redis.url,
            "LIVE_SINGLE_SESSION": json.dumps({"RECHECK_SECONDS": RECHECK_SECONDS}),
            **{
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in setup.items()
            },
        }
        tabs = subprocess.run(
            [sys.executable, "-m", "benchmarks.burst", "tabs"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
    return tabs.stdout.strip()


def tabs() -> None:
    """Watcher every user's session, have them all superseded, and count who is told when."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from live_single_session.models import UserSession

    call_command("migrate", verbosity=0)
    User.objects.bulk_create(User(username=f"user{number}") for number in range(USERS))
    from datetime import timedelta

    from django.utils import timezone

    expires = timezone.now() + timedelta(days=1)
    UserSession.objects.bulk_create(
        UserSession(user=user, serial=1, expires_at=expires) for user in User.objects.all()
    )
    rows = list(UserSession.objects.values_list("pk", "user_id"))
    asyncio.run(_watch(rows))


async def _watch(rows: list[Any]) -> None:
    from live_single_session.realtime.watcher import watching

    async with AsyncExitStack() as stack:
        told = await asyncio.gather(
            *(stack.enter_async_context(watching(pk, user)) for pk, user in rows)
        )
        heard: list[float] = []
        for ended in told:
            ended.add_done_callback(lambda _: heard.append(time.monotonic()))
        burst = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.burst", "logins", stdout=subprocess.PIPE
        )
        assert burst.stdout is not None
        await burst.stdout.readline()
        began = time.monotonic()
        await asyncio.wait(told)
        await burst.wait()
    # The re-check tells all that are left in one go.
    pushed = [when for when in heard if when - began < 3]
    print(f"{len(pushed)} | {len(heard) - len(pushed)} | {max(pushed) - began:.2f}")


def logins() -> None:
    """Supersede everybody, and push it as the logins of one second would."""
    asyncio.run(_push_all())


async def _push_all() -> None:
    from channels.layers import get_channel_layer
    from django.utils import timezone

    from live_single_session.models import EndReason, UserSession
    from live_single_session.realtime.push import push_message, send

    rows = [row async for row in UserSession.objects.all()]
    now = timezone.now()
    for row in rows:
        row.ended_at, row.end_reason = now, EndReason.SUPERSEDED
    messages = [push_message((row,)) for row in rows]
    await UserSession.objects.aupdate(ended_at=now, end_reason=EndReason.SUPERSEDED)
    layer = get_channel_layer()
    print("now", flush=True)
    turns = asyncio.Semaphore(50)

    async def push(group: str, message: dict[str, Any]) -> None:
        async with turns:
            await send(layer, group, message)

    await asyncio.gather(*(push(group, message) for group, message in messages))


if __name__ == "__main__":
    if sys.argv[1:]:
        import django

        django.setup()
        {"tabs": tabs, "logins": logins}[sys.argv[1]]()
    else:
        main()
