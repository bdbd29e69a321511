"""The short form of `make load`."""

import pytest

from benchmarks.load import run


@pytest.mark.slow
async def test_inv4_everybody_who_is_superseded_is_told_and_nobody_else() -> None:
    found = await run(20, logins_per_second=4, seconds=4, collection="rarely")
    assert found["violations"] == []
    assert found["failures"] == []
    assert found["told"] == found["superseded"] == found["logins"] > 0
