"""What a site of some size needs: ``python -m benchmarks.scale``, as in docs/scale.md.

Arithmetic on the figures below, and one simulation: how evenly the users' groups fall on
several Redis servers, as channels_redis chooses between them.
"""

import argparse
import json
import math
import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import django
from channels_redis.core import RedisChannelLayer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from live_single_session.realtime.push import group_of  # noqa: E402 - it needs the apps
from live_single_session.realtime.subscription import REJOINED_IN  # noqa: E402
from live_single_session.registry.db import CHUNK  # noqa: E402

SIZES = [1_000, 100_000, 1_000_000, 10_000_000, 100_000_000]  # users

# Measured by `make bench`.
MEASURED = json.loads((Path(__file__).parent / "results" / "bench.json").read_text())
SOCKETS = MEASURED["sockets"]["found"]
KIB_PER_SOCKET = SOCKETS["the package's own"]["KiB for each"]  # in daphne, idle
CORES_PER_SOCKET = SOCKETS["the package's own"]["cpu percent idle"] / 100 / SOCKETS["sockets"]
LOGINS = MEASURED["login"]["found"]["1000000"]["variants"]
CPU_MS_PER_SIGN_IN = LOGINS["ours"]["cpu ms"] - LOGINS["none"]["cpu ms"]  # what we add
# Assumed, and meant to be changed to what a site sees.
ONLINE = 0.05  # of the users have a tab open at the busiest hour
SIGN_INS_PER_DAY = 0.5  # of a user
BUSIEST_HOUR = 0.12  # of the sign-ins of a day
SOCKETS_PER_NODE = 10_000  # processes of daphne on one machine share them
COMMANDS_PER_REDIS = 50_000  # in a second
BYTES_PER_ROW = 600  # of the registry, indexes included
RECHECK_SECONDS = 30
KEEP_ENDED_DAYS = 90


def needs(users: int) -> dict[str, str]:
    sockets = users * ONLINE
    sign_ins = users * SIGN_INS_PER_DAY * BUSIEST_HOUR / 3600
    rows = users * (1 + SIGN_INS_PER_DAY * KEEP_ENDED_DAYS)
    # A re-check leaves and joins a part of the groups again; each sign-in is one message.
    joins = sockets / REJOINED_IN / RECHECK_SECONDS
    commands = sign_ins + 2 * joins
    nodes = math.ceil(sockets / SOCKETS_PER_NODE)
    return {
        "users": f"{users:,}",
        "open sockets": f"{sockets:,.0f}",
        "nodes": f"{nodes:,}",
        "groups of a node, at most": f"{sockets / nodes:,.0f}",
        "memory of the sockets": f"{sockets * KIB_PER_SOCKET / 2**20:,.1f} GiB",
        "cores for the sockets": f"{sockets * CORES_PER_SOCKET:,.1f}",
        "sign-ins/s": f"{sign_ins:,.1f}",
        "cores for the package": f"{sign_ins * CPU_MS_PER_SIGN_IN / 1000:,.1f}",
        "groups joined again/s": f"{joins:,.0f}",
        "commands to Redis/s": f"{commands:,.0f}",
        "Redis servers": f"{math.ceil(commands / COMMANDS_PER_REDIS):,}",
        "re-check, queries/s": f"{sockets / CHUNK / RECHECK_SECONDS:,.1f}",
        "rows": f"{rows:,.0f}",
        "registry": f"{rows * BYTES_PER_ROW / 2**30:,.1f} GiB",
    }


def busiest(servers: int, users: Iterable[int]) -> float:
    """Return how much more than its share the fullest of some Redis servers gets."""
    layer = RedisChannelLayer(hosts=[f"redis://{number}" for number in range(servers)])
    chosen = Counter(layer.consistent_hash(group_of(user, "default")) for user in users)
    return max(chosen.values()) * servers / chosen.total() - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, nargs="*", default=SIZES)
    columns = [needs(users) for users in parser.parse_args().users]
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")

    sample = random.Random(1).sample(range(100_000_000), 100_000)
    print("\nUsers of 100,000 online on the fullest Redis server, above its share:")
    for servers in (2, 8, 32, 128):
        print(f"| {servers} | {busiest(servers, sample):.1%} |")


if __name__ == "__main__":
    main()
