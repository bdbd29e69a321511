"""The pinned environment and its bill of materials, which `make lock` writes."""

import json
import tomllib
from collections.abc import Iterator

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from live_single_session import __version__
from tests.servers.process import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SBOM = (ROOT / "sbom.cdx.json").read_text()


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def asked_for(group: str) -> Iterator[str]:
    for entry in PYPROJECT["dependency-groups"][group]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from asked_for(entry["include-group"])


@pytest.mark.parametrize(
    "requirement",
    sorted({*PYPROJECT["project"]["dependencies"], *asked_for("dev")}),
)
def test_lock_has_what_is_asked_for(requirement):
    wanted = Requirement(requirement)
    assert pinned()[canonicalize_name(wanted.name)] in wanted.specifier


def test_bill_of_materials_is_valid():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(SBOM) is None


def test_bill_of_materials_lists_what_is_pinned_and_nothing_else():
    listed = {
        canonicalize_name(component["name"]): component["version"]
        for component in json.loads(SBOM)["components"]
    }
    assert listed == pinned()


def test_bill_of_materials_is_of_this_version_and_knows_what_it_needs():
    bill = json.loads(SBOM)
    ours = bill["metadata"]["component"]
    project = PYPROJECT["project"]
    assert (ours["name"], ours["version"]) == (project["name"], __version__)
    (needs,) = [
        each["dependsOn"] for each in bill["dependencies"] if each["ref"] == ours["bom-ref"]
    ]
    needed = {canonicalize_name(each.partition("==")[0]) for each in needs}
    wanted = {canonicalize_name(Requirement(each).name) for each in project["dependencies"]}
    assert wanted <= needed


def test_bill_of_materials_tells_nothing_of_the_machine_that_wrote_it():
    assert str(ROOT) not in SBOM
    assert "file:" not in SBOM
