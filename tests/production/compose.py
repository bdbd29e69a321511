"""docker-compose.yml without Docker: its commands and environment, as plain processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.servers.nginx import Nginx
from tests.servers.process import ROOT, ServerProcess
from tests.servers.waiting import wait_until

COMPOSE = ROOT / "docker-compose.yml"
TEMPLATE = ROOT / "deploy" / "nginx" / "site.conf.template"
HOSTS = ["left.demo.localhost", "right.demo.localhost"]  # at node 1, at node 2
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]


def environment(service: str, here: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service, with what is different on this machine.

    What the service names and `here` doesn't is as docker-compose.yml has it.
    """
    there: dict[str, str] = SERVICES[service]["environment"]
    unknown = here.keys() - there.keys()
    assert not unknown, f"{service} has no {unknown} in docker-compose.yml"
    return {**there, **here}


class Node(ServerProcess):
    """One of the services that serve the demo."""

    ready_text = "Listening on TCP address"

    def __init__(self, service: str, here: Mapping[str, str]) -> None:
        self.name = service
        super().__init__()
        self._environment = environment(service, here)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def sockets_opened(self) -> int:
        return self.log.count("WSCONNECT /ws/live-single-session/")

    def command(self) -> list[str]:
        command = list(SERVICES[self.name]["command"])
        command[command.index("--bind") + 1] = "127.0.0.1"
        command[command.index("--port") + 1] = str(self.port)
        return [sys.executable, "-m", *command]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self._environment}


class Topology:
    """Two nodes behind nginx, of one PostgreSQL and one Redis."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="live-single-session-topology-"))
        self._directory.chmod(0o755)  # for nginx, whose workers aren't root
        self.static = self._directory / "static"
        self._here = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY_FILE": str(self._directory / "secret_key"),
        }
        self._stack = ExitStack()
        self.nodes = [Node("node1", self._here), Node("node2", self._here)]
        self.nginx: Nginx

    @property
    def port(self) -> int:
        return self.nginx.port

    def start(self) -> None:
        prepare = SERVICES["prepare"]["command"]
        assert prepare[0] == "python"
        self._run(*prepare[1:])
        self._run("-m", "django", "collectstatic", "--no-input", STATIC_ROOT=str(self.static))
        for node in self.nodes:
            self._stack.callback(node.close)
            node.start()
        addresses = {f"NODE_{n}": node.address for n, node in enumerate(self.nodes, start=1)}
        here = environment("nginx", {**addresses, "STATIC_ROOT": str(self.static)})
        self.nginx = Nginx(TEMPLATE, here)
        self._stack.callback(self.nginx.close)
        self.nginx.start()

    def renew(self) -> None:
        """Both nodes run, whatever was done to them, and nginx knows it."""
        for node, host in zip(self.nodes, HOSTS, strict=True):
            if not node.is_running:
                node.restart()
                wait_until(lambda: self._reaches(node, host), f"nginx to use {node.name}")  # noqa: B023

    def _reaches(self, node: Node, host: str) -> bool:
        seen = node.log.count("/healthz/")
        httpx.get(f"{self.nginx.url}/healthz/", headers={"Host": host})
        return node.log.count("/healthz/") > seen

    def close(self) -> None:
        self._stack.close()

    def _run(self, *arguments: str, **more: str) -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **environment("prepare", self._here), **more},
            stdout=subprocess.DEVNULL,
            check=True,
        )
