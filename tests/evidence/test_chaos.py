"""Everything fails at random for seconds; afterwards everything is true. See `make chaos`."""

import json

import pytest

from tests.evidence.chaos import Plan, run


@pytest.mark.parametrize(
    ("layer", "engine", "limit"), [("pubsub", "db", 1), ("redis", "cached_db", 2)]
)
async def test_inv1_to_inv5_survive_chaos(layer: str, engine: str, limit: int) -> None:
    plan = Plan(seconds=8, seed=2, layer=layer, engine=engine, limit=limit, users=4)
    report = await run(plan)
    print(json.dumps(report.as_json(), indent=1))
    assert report.violations == [], report.log[-20_000:]
    assert report.journal.logins
