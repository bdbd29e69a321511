"""The pinned environment, which `make lock` writes."""

from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.lock import PYPROJECT, pinned


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
