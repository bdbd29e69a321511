"""The benchmarks in their shortest form: they work, and what they count is what is claimed.

What takes how long is for `make bench`; nothing of that is asserted here.
"""

import asyncio
from typing import Any

import pytest

from benchmarks import http, login, push, sockets, tokens


@pytest.fixture(autouse=True)
def _without_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are installed for `make bench` only."""
    engines = {engine: ("none", "ours") for engine in http.VARIANTS}
    monkeypatch.setattr(http, "VARIANTS", engines)
    monkeypatch.setattr(login, "VARIANTS", ("none", "ours"))


def test_inv8_a_request_costs_no_query_and_no_round_trip() -> None:
    found = http.run(rounds=1, seconds=0.2)
    for of_engine in found.values():
        for page, variants in of_engine["pages"].items():
            for cost in ("queries", "cache round trips"):
                assert variants["ours"][cost] == variants["none"][cost], page


def test_a_sign_in_costs_as_many_queries_beside_many_sessions_of_others() -> None:
    found = asyncio.run(login.run((0, 1_000), logins=2))
    few, many = (of_crowd["variants"]["ours"]["queries"] for of_crowd in found.values())
    assert few == many


def test_pushes_are_measured_as_they_arrive() -> None:
    found = asyncio.run(push.run({"pubsub": (3,)}, logins=2))
    heard: Any = found["pubsub"]["3"]["variants"]["ours"]
    assert heard["ms"]["n"] == 2


def test_sockets_are_all_open_while_they_are_measured() -> None:
    found = sockets.run(count=10, rounds=1, idle_seconds=0.1)
    assert found["sockets"] == 10


def test_tokens_are_measured_beside_simplejwt() -> None:
    found = tokens.run(rounds=1, seconds=0.2)
    assert found["ours"]["throughput ratio"]["n"] == 1
