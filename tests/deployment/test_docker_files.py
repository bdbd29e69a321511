"""What can be said of docker-compose.yml and the Dockerfile without Docker."""

import fnmatch
import json
import re

import pytest

from tests.deployment.compose import SERVICES, TEMPLATE
from tests.deployment.image import stages
from tests.servers.process import ROOT

STAGES = stages()
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.?\d*(-[\w.]+)?")


def test_base_images_are_pinned_to_a_version():
    images = [
        *(stage.base for stage in STAGES.values()),
        *(SERVICES[name]["image"] for name in ("postgres", "redis")),
    ]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_services_are_built_from_stages_that_exist():
    targets = [
        service["build"]["target"] for service in SERVICES.values() if "build" in service
    ]
    assert set(targets) <= STAGES.keys()


def test_each_image_is_built_by_one_service_and_named_by_all_that_run_it():
    """Current versions of compose build all at once, and fail where two export one tag."""
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(built) == len(set(built))
    ours = {service["image"] for service in SERVICES.values() if ":" not in service["image"]}
    assert ours == set(built)


def test_nginx_may_write_what_its_entrypoint_makes_of_the_template():
    """A tmpfs over a directory of the image is root's, whoever owned that directory."""
    options = dict(mount.partition(":")[::2] for mount in SERVICES["nginx"]["tmpfs"])
    assert "uid=101" in options["/etc/nginx/conf.d"].split(",")  # as the image's USER


def test_nothing_of_ours_runs_as_root():
    """nginx's image is the unprivileged one, whose user isn't root either."""
    (user,) = STAGES["node"].all("USER")
    assert int(user) > 0
    assert STAGES["nginx"].base.startswith("nginxinc/nginx-unprivileged:")
    assert not STAGES["nginx"].all("USER")


def test_nodes_run_what_the_image_would():
    """The image alone, without docker-compose.yml, is of the same use."""
    (command,) = STAGES["node"].all("CMD")
    assert json.loads(command) == SERVICES["node1"]["command"] == SERVICES["node2"]["command"]


def test_what_is_copied_is_there_and_not_ignored():
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copies = [copy for stage in STAGES.values() for copy in stage.all("COPY")]
    sources = [
        source
        for copy in copies
        if not copy.startswith("--from=")
        for source in copy.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source.split("/")[0], name) for name in kept), source


def test_nginx_gets_every_value_that_its_template_asks_for():
    """The image's entrypoint leaves a name that it doesn't know as it stands."""
    asked = set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text()))
    assert asked - {"BRACES"} == SERVICES["nginx"]["environment"].keys()


def test_no_key_and_no_database_of_a_checkout_gets_into_an_image():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"demo/secret_key", "demo/db.sqlite3*"} <= set(ignored)


@pytest.mark.parametrize("name", SERVICES)
def test_only_nginx_can_be_reached_and_only_from_this_machine(name):
    published = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert bool(published) == (name == "nginx")
    assert ("outside" in SERVICES[name]["networks"]) == (name == "nginx")
