"""What can be said of docker-compose.yml and the Dockerfile without Docker."""

import fnmatch
import re
import shlex

import pytest

from tests.production.compose import SERVICES
from tests.servers.process import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [
    line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and line[0] != "#"
]
STAGES = {
    arguments.split()[-1]: arguments.split()[0]
    for instruction, arguments in INSTRUCTIONS
    if instruction == "FROM"
}
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.?\d*(-[\w.]+)?")


def test_base_images_are_pinned_to_a_version():
    images = [*STAGES.values(), *(SERVICES[name]["image"] for name in ("postgres", "redis"))]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_services_are_built_from_stages_that_exist():
    targets = [
        service["build"]["target"] for service in SERVICES.values() if "build" in service
    ]
    assert set(targets) <= STAGES.keys()


def test_nodes_do_not_run_as_root():
    """nginx's image is the unprivileged one, whose user isn't root either."""
    node = DOCKERFILE.partition(" AS node\n")[2].partition("\nFROM ")[0]
    assert re.search(r"^USER app$", node, re.MULTILINE)
    assert STAGES["nginx"].startswith("nginxinc/nginx-unprivileged:")


def test_what_is_copied_is_there_and_not_ignored():
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for instruction, arguments in INSTRUCTIONS:
        if instruction != "COPY" or arguments.startswith("--from"):
            continue
        for source in shlex.split(arguments)[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source.split("/")[0], name) for name in kept), source


def test_no_key_and_no_database_of_a_checkout_gets_into_an_image():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"demo/secret_key", "demo/db.sqlite3*"} <= set(ignored)


@pytest.mark.parametrize("name", SERVICES)
def test_only_nginx_can_be_reached_and_only_from_this_machine(name):
    published = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert bool(published) == (name == "nginx")
    assert ("outside" in SERVICES[name]["networks"]) == (name == "nginx")
