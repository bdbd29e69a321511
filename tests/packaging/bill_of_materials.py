"""The bill of materials: `make sbom` makes it, then runs these tests; the suite does not.

It is made for each release and not kept.
"""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from live_single_session import __version__
from tests.packaging.lock import PYPROJECT, pinned
from tests.servers.process import ROOT

SBOM = (ROOT / "sbom.cdx.json").read_text()


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
