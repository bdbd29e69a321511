"""Metrics for Prometheus say what happened, in a process that serves."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.people import hear, people
from tests.servers.waiting import await_until
from tests.site.people import credentials

PREFIX = "live_single_session_"


@pytest.fixture
def start(start_daphne, site_database, redis):
    def start(**env):
        ours = {
            "DATABASE_URL": site_database("sqlite"),
            "DJANGO_SETTINGS_MODULE": "tests.operations.metrics_settings",
            "CHANNEL_LAYER": "pubsub",
            "REDIS_URL": redis.url,
        }
        return start_daphne(**{**ours, **env})

    return start


def metrics(site):
    """`{"ended_total superseded": 1.0, ...}`: what the process exposes of this package."""
    text = httpx.get(f"{site.url}/metrics/", timeout=30).text
    return {
        " ".join([sample.name.removeprefix(PREFIX), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }


async def test_what_happened_is_counted(start):
    site = start(LIVE_SINGLE_SESSION={"RECHECK_SECONDS": 0.2})
    async with people(site, "alice", "alice", "bob") as (old, new, bob):
        await old.sign_in()
        await bob.sign_in()
        async with old.tab() as tab, bob.tab():
            assert metrics(site)["open_sockets"] == 2
            await new.sign_in()
            assert (await hear(tab))["reason"] == "superseded"
            await await_until(lambda: metrics(site)["open_sockets"] == 1, "one to leave")
            first = metrics(site)
            await await_until(
                lambda: metrics(site)["rechecks_total done"] > first["rechecks_total done"],
                "another re-check",
            )
        await new.http.post("/api/logout/")
        seen = metrics(site)
    assert seen["started_total session"] == 3
    assert seen["ended_total superseded"] == 1
    assert seen["ended_total logged_out"] == 1
    assert seen["pushes_total sent"] == 2
    assert seen["last_recheck_timestamp_seconds"] >= first["last_recheck_timestamp_seconds"] > 0
    assert seen["unfinished_ends"] == 0
    assert seen["refused_total"] == 0


async def test_refusals_and_pushes_that_fail_are_counted(start, redis):
    site = start(LIVE_SINGLE_SESSION={"ON_LIMIT": "refuse", "PUSH_TIMEOUT_SECONDS": 0.2})
    async with people(site, "alice", "alice", "bob") as (alice, again, bob):
        await alice.sign_in()
        answer = await again.http.post("/api/login/", json=credentials("alice"))
        assert answer.status_code == 409
        await bob.sign_in()
        redis.stop()
        await bob.http.post("/api/logout/")
        seen = metrics(site)
        health = (await bob.http.get("/health/")).json()
    assert seen["refused_total"] == 1
    assert sum(seen.get(f"pushes_total {how}", 0) for how in ("failed", "timed_out")) == 1
    assert health["status"] == "degraded"


async def test_the_database_may_be_away_while_metrics_are_read(start, tmp_path):
    """The other metrics still are: the process is what somebody wants to know about now."""
    database = tmp_path / "without-tables.sqlite3"
    site = start(DATABASE_URL=f"sqlite:///{database}")
    seen = metrics(site)
    assert "unfinished_ends" not in seen
    assert seen["open_sockets"] == 0
