"""Clocks, loads, ratios, and the machine that they were taken on."""

import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.servers.daphne import Daphne
from tests.servers.packages import find
from tests.servers.postgres import PostgresServer
from tests.servers.process import ROOT
from tests.servers.redis import RedisServer

SETTINGS = "benchmarks.site.settings"
TICK = os.sysconf("SC_CLK_TCK")

ENGINES = {
    name: f"django.contrib.sessions.backends.{name}" for name in ("db", "cached_db", "cache")
}
OUR_ENGINES = {name: f"live_single_session.backends.{name}" for name in ENGINES}
VERSIONS = (
    "django",
    "channels",
    "channels-redis",
    "redis",
    "daphne",
    "psycopg",
    "django-preventconcurrentlogins",
    "django-single-session",
    "django-allauth",
    "djangorestframework-simplejwt",
)


@dataclass
class Servers:
    """PostgreSQL and Redis, and sites with a database each."""

    stack: ExitStack

    def __post_init__(self) -> None:
        self.postgres, self.redis = PostgresServer(), RedisServer()
        for server in (self.postgres, self.redis):
            self.stack.callback(server.close)
            server.start()
        self._names = 0

    def site(
        self, variant: str, engine: str = "db", layer: str = "pubsub", **settings: str
    ) -> "Site":
        self._names += 1
        name = f"bench_{self._names}"
        self.postgres.create_database(name)
        engines = OUR_ENGINES if variant in ("ours", "guarded") else ENGINES
        env: dict[str, object] = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "BENCH_VARIANT": variant,
            "DATABASE_URL": self.postgres.url(name),
            "REDIS_URL": self.redis.url,
            "CHANNEL_LAYER": layer,
            "SESSION_ENGINE": engines[engine],
            **settings,
        }
        if layer == "redis":
            hosts = [{"address": self.redis.url, "socket_timeout": 15}]
            env["CHANNEL_LAYER_CONFIG"] = {"hosts": hosts, "capacity": 2000}
        return Site(self, variant, env)


class Site:
    def __init__(self, servers: Servers, variant: str, env: dict[str, object]) -> None:
        self.servers = servers
        self.variant = variant
        self.daphne = Daphne("benchmarks.site.asgi:application", env)

    def run(self, module: str, *arguments: object) -> str:
        return subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            env=self.daphne.environment(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def fill(self, users: int) -> list[str]:
        """Make users who are signed in; return their cookies."""
        return self.run("benchmarks.site.fill", users).split()

    def get(self, path: str, cookie: str) -> None:
        """One request, and no other beside it."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers={"Cookie": f"sessionid={cookie}"})
        urllib.request.urlopen(request).read()

    def start(self) -> "Site":
        self.servers.stack.callback(self.daphne.close)
        self.daphne.start()
        return self

    @property
    def port(self) -> int:
        return self.daphne.port

    @property
    def cpu_seconds(self) -> float:
        """How long the process has computed."""
        fields = Path(f"/proc/{self.daphne.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def resident(self) -> int:
        return resident(self.daphne.pid)


def resident(pid: int) -> int:
    """Return the memory that a process has, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def wrk(site: Site, path: str, seconds: int, headers: dict[str, str]) -> dict[str, float]:
    """Load a page from 8 connections, and say how it went."""
    flags = [flag for name, value in headers.items() for flag in ("-H", f"{name}: {value}")]
    before = site.cpu_seconds
    url = f"http://127.0.0.1:{site.port}{path}"
    command = [find("wrk"), "-t1", "-c8", f"-d{seconds}s", "--latency", *flags, url]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    computed = site.cpu_seconds - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"{site.variant} {path}: {said}\n{site.daphne.log[-3000:]}")
    requests = int(_found(r"(\d+) requests in", said))
    return {
        "per second": float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        "p50 ms": _milliseconds(_found(r"50%\s+([\d.]+\w+)", said)),
        "p99 ms": _milliseconds(_found(r"99%\s+([\d.]+\w+)", said)),
        "cpu ms": 1000 * computed / requests,
    }


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def shuffled(items: Iterable[Any]) -> list[Any]:
    """In another order each round, so that nobody always goes first."""
    ordered = list(items)
    random.shuffle(ordered)
    return ordered


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, and where the middle half lies."""
    if len(values) < 2:
        return {"median": values[0], "q1": values[0], "q3": values[0], "n": len(values)}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "q1": q1, "q3": q3, "n": len(values)}


def ratios(values: Sequence[float], yardstick: Sequence[float]) -> dict[str, float]:
    """The ratios to the yardstick's value of the same round."""
    return spread([value / other for value, other in zip(values, yardstick, strict=True)])


def machine() -> dict[str, Any]:
    """What this was measured on, and with."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    packages = {}
    for name in VERSIONS:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory GB": round(int(memory[1]) / 1e6) if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgres": _version_of("postgres"),
        "redis-server": _version_of("redis-server"),
        "packages": packages,
        "load": load(),
    }


def load() -> float:
    """The load average of the last minute: above the number of cores, it disturbs."""
    return round(os.getloadavg()[0], 2)


def _version_of(program: str) -> str:
    said = subprocess.run([find(program), "--version"], stdout=subprocess.PIPE, text=True)
    found = re.search(r"\d+(\.\d+)+", said.stdout)
    return found[0] if found else "?"
