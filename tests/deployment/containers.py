"""docker-compose.yml on a real engine, with the same face as the plain processes.

`make compose` runs the tests of two nodes against it. A machine without an engine fails
there; no other target needs one.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx

from tests.deployment.compose import HOSTS
from tests.servers.process import ROOT, free_port
from tests.servers.waiting import wait_until


def compose(*arguments: str, **env: str) -> str:
    """Run docker compose; what it says is shown if it fails."""
    done = subprocess.run(
        ["docker", "compose", "--project-name", "live-single-session-tests", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"docker compose {' '.join(arguments)} failed:\n{done.stdout}"
    return done.stdout


@dataclass
class Container:
    """One of the services that run."""

    name: str
    port: int

    @property
    def log(self) -> str:
        return compose("logs", "--no-color", self.name, PORT=str(self.port))

    @property
    def sockets_opened(self) -> int:
        return self.log.count("WSCONNECT /ws/live-single-session/")

    def asked_for(self, path: str) -> int:
        """Count the requests from outside: the engine's health check asks from inside."""
        lines = [line.partition("| ")[2] for line in self.log.splitlines() if path in line]
        return sum(not line.startswith("127.0.0.1:") for line in lines)

    @property
    def state(self) -> dict[str, Any]:
        (line,) = compose(
            "ps", "--all", "--format", "json", self.name, PORT=str(self.port)
        ).splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def is_running(self) -> bool:
        return bool(self.state["State"] == "running")

    def stop(self) -> None:
        compose("stop", self.name, PORT=str(self.port))

    def kill(self) -> None:
        compose("kill", self.name, PORT=str(self.port))

    def terminate(self) -> None:
        compose("kill", "--signal", "SIGTERM", self.name, PORT=str(self.port))

    def restart(self) -> None:
        compose("up", "--detach", "--wait", "--no-deps", self.name, PORT=str(self.port))

    def check_health(self) -> Any:
        """Tell by a return code, as the process's own check does, whether it is healthy."""
        wait_until(lambda: self.state.get("Health") != "starting", "a health check", 60)
        healthy = self.is_running and self.state.get("Health") == "healthy"
        return SimpleNamespace(returncode=0 if healthy else 1, stderr="")


class Containers:
    """The services of docker-compose.yml, built and started."""

    def __init__(self) -> None:
        self.port = free_port()
        self.nodes = [Container(name, self.port) for name in ("node1", "node2")]
        self.proxy = Container("nginx", self.port)
        self.nginx = SimpleNamespace(url=f"http://127.0.0.1:{self.port}")

    def start(self) -> None:
        compose("up", "--build", "--detach", "--wait", PORT=str(self.port))

    def select(self, query: str) -> str:
        """Return the one value that a query selects in the demo's database."""
        psql = ["psql", "-U", "jotter", "-d", "jotter", "-tAc", query]
        return compose("exec", "-T", "postgres", *psql, PORT=str(self.port)).strip()

    def address_of_client(self, address: str) -> str:
        """Return what nginx sees of this machine: the gateway of its network."""
        return compose(
            *("exec", "-T", "nginx", "sh", "-c"),
            r"ip route | sed -n 's/^default via \([0-9.]*\).*/\1/p'",
            PORT=str(self.port),
        ).strip()

    def renew(self) -> None:
        """Both nodes and nginx run, whatever was done to them, and nginx uses both."""
        for container in [*self.nodes, self.proxy]:
            if not container.is_running:
                container.restart()
        for node, host in zip(self.nodes, HOSTS, strict=True):
            wait_until(lambda: self._reaches(node, host), f"nginx to use {node.name}", 30)  # noqa: B023

    def _reaches(self, node: Container, host: str) -> bool:
        seen = node.asked_for("/healthz/")
        httpx.get(f"{self.nginx.url}/healthz/", headers={"Host": host})
        time.sleep(0.2)  # the engine collects what it has logged
        return node.asked_for("/healthz/") > seen

    def close(self) -> None:
        compose("down", "--volumes", PORT=str(self.port))
