"""Fixtures: the image that docker would build, and two nodes of it behind nginx."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.deployment.compose import Topology
from tests.deployment.containers import Containers
from tests.deployment.image import Image
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with TemporaryDirectory(prefix="live-single-session-image-") as folder:
        Path(folder).chmod(0o755)  # for nginx, whose workers aren't root
        image = Image(Path(folder))
        image.build()
        yield image


@pytest.fixture(scope="session")
def running_topology(request: pytest.FixtureRequest) -> Iterator[Topology | Containers]:
    if not request.config.getoption("--containers"):
        yield request.getfixturevalue("running_processes")
        return
    containers = Containers()
    try:
        containers.start()
        yield containers
    finally:
        containers.close()


@pytest.fixture(scope="session")
def running_processes(
    image: Image, postgres_server: PostgresServer, redis_server: RedisServer
) -> Iterator[Topology]:
    postgres_server.create_database("jotter")
    topology = Topology(image, postgres_server.url("jotter"), redis_server.url)
    try:
        topology.start()
        yield topology
    finally:
        topology.close()
        postgres_server.drop_database("jotter")


@pytest.fixture
def topology(
    running_topology: Topology | Containers, request: pytest.FixtureRequest
) -> Iterator[Topology | Containers]:
    """Two nodes behind nginx, both running, whatever an earlier test did to them."""
    if isinstance(running_topology, Topology):
        request.getfixturevalue("redis")
    running_topology.renew()
    yield running_topology
    for node in running_topology.nodes:
        print(f"{node.name} printed:\n{node.log[-4000:]}")
