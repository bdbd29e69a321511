"""docker-compose.yml without Docker: its commands and environment, as plain processes."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from tests.deployment.image import Image
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

    def __init__(self, service: str, image: Image, here: Mapping[str, str]) -> None:
        self.name = service
        super().__init__()
        self._image = image
        self._environment = environment(service, here)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def sockets_opened(self) -> int:
        return self.log.count("WSCONNECT /ws/live-single-session/")

    def asked_for(self, path: str) -> int:
        """Count the requests for a path."""
        return self.log.count(path)

    def terminate(self) -> None:
        """Tell it to stop, as an engine does, and don't wait."""
        self._signal(signal.SIGTERM)

    def command(self) -> list[str]:
        command = list(SERVICES[self.name]["command"])
        command[command.index("--bind") + 1] = "127.0.0.1"
        command[command.index("--port") + 1] = str(self.port)
        return self._image.command(command)

    def environment(self) -> dict[str, str]:
        return self._image.environment(self._environment)

    def check_health(self) -> subprocess.CompletedProcess[str]:
        """Run the health check of its service."""
        how, *check = SERVICES[self.name]["healthcheck"]["test"]
        assert how == "CMD"
        here = [part.replace("127.0.0.1:8000", self.address) for part in check]
        return subprocess.run(
            self._image.command(here),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )


class Topology:
    """Two nodes of one image behind nginx, with one PostgreSQL and one Redis."""

    def __init__(self, image: Image, database_url: str, redis_url: str) -> None:
        self._image = image
        self._volume = Path(tempfile.mkdtemp(prefix="live-single-session-volume-"))
        self._here = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY_FILE": str(self._volume / "secret_key"),
        }
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self._volume)
        self.nodes = [Node(name, image, self._here) for name in ("node1", "node2")]
        self.nginx: Nginx

    @property
    def port(self) -> int:
        return self.nginx.port

    def start(self) -> None:
        self._image.give(self._volume)
        subprocess.run(
            self._image.command(SERVICES["prepare"]["command"]),
            env=self._image.environment(environment("prepare", self._here)),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for node in self.nodes:
            self._stack.callback(node.close)
            node.start()
        addresses = {f"NODE_{n}": node.address for n, node in enumerate(self.nodes, start=1)}
        # The system's nginx is older than `resolve`, and the addresses here are numbers.
        here = {"RESOLVE": "", "RESOLVER": "127.0.0.1", "STATIC_ROOT": str(self._image.static)}
        self.nginx = Nginx(TEMPLATE, environment("nginx", {**addresses, **here}))
        self._stack.callback(self.nginx.close)
        self.nginx.start()

    def select(self, query: str) -> str:
        """Return the one value that a query selects in the demo's database."""
        with psycopg.connect(self._here["DATABASE_URL"]) as connection:
            return str(connection.execute(query).fetchone()[0])

    def address_of_client(self, address: str) -> str:
        """Return what nginx sees of a client that comes from an address of this machine."""
        return address

    def renew(self) -> None:
        """Both nodes run, whatever was done to them, and nginx knows it."""
        for node, host in zip(self.nodes, HOSTS, strict=True):
            if not node.is_running:
                node.restart()
                wait_until(lambda: self._reaches(node, host), f"nginx to use {node.name}")  # noqa: B023

    def _reaches(self, node: Node, host: str) -> bool:
        seen = node.asked_for("/healthz/")
        httpx.get(f"{self.nginx.url}/healthz/", headers={"Host": host})
        return node.asked_for("/healthz/") > seen

    def close(self) -> None:
        self._stack.close()
