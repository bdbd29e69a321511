"""What the log says, by the configuration that docs/operations.md gives."""

import logging
import re

import pytest

from live_single_session.realtime.layer_hosts import layer_hosts
from tests.helpers.people import hear, people
from tests.servers.waiting import await_until
from tests.site.people import credentials

SETTINGS = "tests.operations.logging_settings"
SECRET = "s3cret-of-redis"


@pytest.fixture
def start(start_daphne, site_database, redis):
    def start(**env):
        ours = {
            "DATABASE_URL": site_database("sqlite"),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "CHANNEL_LAYER": "pubsub",
            "REDIS_URL": redis.url,
        }
        return start_daphne(**{**ours, **env})

    return start


def lines(site):
    """What the site logs of sessions, without time and ids."""
    said = [line for line in site.log.splitlines() if " session=" in line]
    return [re.sub(r"^\S+ \S+ |[0-9a-f]{8}-[0-9a-f-]{27}", "", line) for line in said]


async def test_each_line_is_there_once_with_its_message_and_its_facts(start):
    site = start()
    async with people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab() as tab:
            await new.sign_in()
            await hear(tab)
        await new.http.post("/api/logout/")
        keys = [who.http.cookies.get("sessionid") for who in (old, new)]
    assert lines(site) == [
        "INFO Session  of user 1 started [started session= user=1 slot= reason=None]",
        "INFO Session  of user 1 ended: superseded"
        " [ended session= user=1 slot= reason=superseded]",
        "INFO Session  of user 1 started [started session= user=1 slot= reason=None]",
        "INFO Session  of user 1 ended: logged_out"
        " [ended session= user=1 slot= reason=logged_out]",
    ]
    assert not [key for key in keys if key and key in site.log]


async def test_times_are_counted_as_people_count(start):
    site = start(LIVE_SINGLE_SESSION={"ON_LIMIT": "refuse"})
    async with people(site, "alice", "alice") as (first, second):
        await first.sign_in()
        await second.http.post("/api/login/", json=credentials("alice"))
    assert "was refused: signed in 1 time already [refused" in site.log


@pytest.mark.parametrize("layer", ["pubsub", "redis"])
async def test_inv7_a_layer_that_fails_is_named_without_its_password(start, redis, layer):
    secret_url = redis.url.replace("redis://", f"redis://:{SECRET}@")
    redis.stop()
    where = redis.url.removeprefix("redis://").partition("/")[0]
    site = start(CHANNEL_LAYER=layer, REDIS_URL=secret_url)
    async with people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        async with old.tab():
            await new.sign_in()
            await await_until(
                lambda: "tabs learn by their re-check" in site.log, "the push to fail"
            )
    assert re.search(rf"WARNING The channel layer failed \(\w+, at {where}\)", site.log)
    assert SECRET not in site.log


@pytest.mark.parametrize(
    ("hosts", "named"),
    [
        (["redis://127.0.0.1:6379/0"], "127.0.0.1:6379"),
        (
            [f"rediss://user:{SECRET}@redis-1:6380/0", ("redis-2", 6379)],
            "redis-1:6380, redis-2:6379",
        ),
        ([{"address": f"redis://:{SECRET}@redis-1"}], "redis-1:6379"),
        ([{"host": "redis-1", "port": 6379, "password": SECRET}], "redis-1:6379"),
        (
            [{"sentinels": [("s1", 26379), ("s2", 26379)], "master_name": "m"}],
            "s1:26379, s2:26379",
        ),
        ([f"unix://:{SECRET}@/run/redis.sock"], "/run/redis.sock"),
        ([f"redis://:{SECRET}/x@redis-1:6379"], "?"),
        ([f"redis://:{SECRET}#x@redis-1:6379"], "?"),
        ([f"redis://:{SECRET}"], "?"),
        ([{}], "?"),
        ([7], "?"),
        ("redis://redis-1", "RedisPubSubChannelLayer"),
        (None, "RedisPubSubChannelLayer"),
    ],
)
def test_inv7_hosts_are_named_without_passwords(settings, hosts, named):
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": hosts}}}
    assert layer_hosts() == named


@pytest.mark.parametrize(
    ("value", "still_signed_in"),
    [("{}", False), ('{"ON_LIMIT": "observe"}', True), ('{"LIMIT": null}', True)],
)
async def test_the_emergency_switch_is_in_the_environment(start, value, still_signed_in):
    site = start(LIVE_SINGLE_SESSION=value)
    async with people(site, "alice", "alice") as (old, new):
        await old.sign_in()
        await new.sign_in()
        assert (await old.name_seen_by_site() == "alice") == still_signed_in
        assert await new.name_seen_by_site() == "alice"


def test_every_logger_of_the_package_is_below_the_documented_one():
    ours = [name for name in logging.root.manager.loggerDict if "live_single" in name]
    assert ours
    assert all(name.split(".")[0] == "live_single_session" for name in ours)
