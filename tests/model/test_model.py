"""The protocol holds in every order of its steps, and needs each of its protections."""

import pytest

from tests.model.mutants import MUTANTS, SMALL, Mutant
from tests.model.run import check


@pytest.mark.parametrize(("model", "world"), SMALL)
def test_all_invariants_hold_in_every_order(model: str, world: str) -> None:
    verdict = check(model, world)
    assert verdict.holds, verdict.output


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_a_protection_something_goes_wrong(mutant: Mutant) -> None:
    assert not check(mutant.model, f"{mutant.world} -D{mutant.name}").holds
