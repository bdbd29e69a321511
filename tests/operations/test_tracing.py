"""Invariant 7: what OpenTelemetry records of this package holds no session key."""

import pytest

from tests.helpers.people import hear, people


@pytest.mark.parametrize("engine", ["db", "cache"])
async def test_inv7_no_span_holds_a_key(engine, start_daphne, site_database, redis):
    site = start_daphne(
        DATABASE_URL=site_database("sqlite"),
        DJANGO_SETTINGS_MODULE="tests.operations.traced_settings",
        SESSION_ENGINE=f"live_single_session.backends.{engine}",
        CHANNEL_LAYER="pubsub",
        REDIS_URL=redis.url,
    )
    keys = []
    async with people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        keys.append(old.http.cookies["sessionid"])
        async with old.tab() as tab:
            await old.http.get("/rotate/")
            keys.append(old.http.cookies["sessionid"])
            await new.sign_in()
            await hear(tab)
        keys.append(new.http.cookies["sessionid"])
        await old.api()
        await new.http.post("/api/logout/")
    spans = [line for line in site.log.splitlines() if '"trace_id"' in line]
    assert len(set(keys)) == 3
    assert any("live_single_session_usersession" in span for span in spans)
    assert any("redis" in span for span in spans)
    print(len(spans), "spans")
    assert [span for span in spans for key in keys if key in span] == []
