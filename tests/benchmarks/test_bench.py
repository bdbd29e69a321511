"""The benchmarks in their shortest form: they work, and what they count is what is claimed.

What takes how long is for `make bench`; nothing of that is asserted here.
"""

import asyncio

import pytest

from benchmarks import http, login, page, push, servers, sockets, tokens

pytestmark = pytest.mark.slow

# The alternatives are installed for `make bench` only.
BESIDE_NOTHING = ("none", "ours")


def test_inv8_a_request_costs_no_query_and_no_round_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "VARIANTS", {"cached_db": BESIDE_NOTHING})
    monkeypatch.setattr(http, "PAGES", {"async view": "/async/private/"})
    variants = http.run(rounds=1, seconds=1)["cached_db"]["pages"]["async view"]
    for cost in ("queries", "cache round trips"):
        assert variants["ours"][cost] == variants["none"][cost] == 1


@pytest.mark.parametrize("engine", page.ENGINES)
def test_a_page_is_measured_beside_the_plain_engine(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "ENGINES", (engine,))
    pages = page.run(rounds=1, requests=2)["engines"][engine]
    assert {name: of["ratio"]["n"] for name, of in pages.items()} == dict.fromkeys(
        [*http.PAGES, *page.WSGI], 1
    )


def test_a_sign_in_costs_as_many_queries_beside_many_sessions_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(login, "VARIANTS", BESIDE_NOTHING)
    found = asyncio.run(login.run((0, 1_000), logins=2))
    few, many = (found[crowd]["variants"]["ours"]["queries"] for crowd in ("0", "1000"))
    assert few == many
    assert found["where"]["ours"]
    assert found["hashed"]["variants"]["ours"]["ms"]["n"] == 1


def test_a_push_is_measured_when_it_arrives() -> None:
    found = asyncio.run(push.run({"pubsub": (3,)}, logins=2))
    assert found["pubsub"]["3"]["variants"]["ours"]["ms"]["n"] == 2


def test_sockets_stay_open_while_they_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("the same, guarded", "somebody's consumer")
    monkeypatch.setattr(sockets, "CASES", {case: sockets.CASES[case] for case in pair})
    monkeypatch.setattr(sockets, "YARDSTICKS", dict([pair]))
    assert sockets.run(count=10, rounds=1, idle_seconds=0.1)["sockets"] == 10


def test_who_compresses_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {name: servers.KINDS[name] for name in ("uvicorn", "uvicorn, no compression")}
    monkeypatch.setattr(servers, "KINDS", kinds)
    found = servers.run(count=10)
    assert found["uvicorn"]["offered"]["compressed"]
    assert not found["uvicorn"]["not offered"]["compressed"]
    assert not found["uvicorn, no compression"]["offered"]["compressed"]


def test_tokens_are_measured_beside_simplejwt() -> None:
    found = tokens.run(rounds=1, seconds=1)
    assert found["ours"]["throughput ratio"]["n"] == 1
