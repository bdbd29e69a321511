"""The short form of `make chaos`: each fault once, in turn; afterwards everything is true."""

import json

import pytest

from tests.chaos.chaos import Plan, is_of_cleaner, run, tracebacks_in

REDIS_IS_AWAY = """\
2026-11-25 16:09:03,136 ERROR    Unexpected exception in receive task
Traceback (most recent call last):
  File "channels_redis/pubsub.py", line 314, in _do_receiving
    message = await self._pubsub.get_message(
redis.exceptions.ConnectionError: Connection closed by server.
"""
AND_THEN = "\nDuring handling of the above exception, another exception occurred:\n\n"
OURS = """\
Traceback (most recent call last):
  File "live_single_session/push.py", line 99, in send
KeyError: 'notice'
"""
BOTH_READ = """\
Traceback (most recent call last):
  File "channels_redis/pubsub.py", line 314, in _do_receiving
RuntimeError: readuntil() called while another coroutine is already waiting for incoming data
"""
UNSAVED = """\
Traceback (most recent call last):
psycopg.errors.AdminShutdown: terminating connection due to administrator command

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
django.contrib.sessions.exceptions.SessionInterrupted: The request's session was deleted
"""
SLOW_TO_LEAVE = """\
Traceback (most recent call last):
  File "channels_redis/pubsub.py", line 190, in receive
    await shard.unsubscribe(channel)
asyncio.exceptions.CancelledError
"""
CLEANER = """\
2026-11-25 16:09:03,136 ERROR    Task exception was never retrieved
future: <Task finished name='Task-5' coro=<RedisChannelLayer._clean_receive_backup() done>
Traceback (most recent call last):
redis.exceptions.ConnectionError: Connection closed by server.
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
"""


@pytest.mark.parametrize(
    ("log", "kinds"),
    [
        (REDIS_IS_AWAY, ["redis"]),
        (REDIS_IS_AWAY + OURS, ["redis", None]),
        (REDIS_IS_AWAY + AND_THEN + OURS, [None]),
        (OURS + AND_THEN + REDIS_IS_AWAY.partition("\n")[2], ["redis"]),
        (BOTH_READ, ["redis"]),
        (BOTH_READ.replace("channels_redis/pubsub.py", "live_single_session/watch.py"), [None]),
        (SLOW_TO_LEAVE, ["redis"]),
        (SLOW_TO_LEAVE.replace("shard.unsubscribe", "registry.end"), [None]),
        (UNSAVED, ["postgres"]),
        (UNSAVED.partition("following exception:\n\n")[2], [None]),
        (GROUP + REDIS_IS_AWAY, [None, "redis"]),
        (OURS.rpartition("KeyError")[0] + "2026-11-25 16:09:03 INFO Starting server", []),
    ],
)
def test_a_traceback_is_explained_by_how_it_ends(log: str, kinds: list[str | None]) -> None:
    assert [traceback.kind for traceback in tracebacks_in(log)] == kinds


def test_only_a_task_of_channels_redis_may_be_found_late() -> None:
    log = REDIS_IS_AWAY + CLEANER + CLEANER.replace("_clean_receive_backup", "_receive") + OURS
    found = [is_of_cleaner(log, traceback.place) for traceback in tracebacks_in(log)]
    assert found == [False, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "engine", "limit", "watches_browsers"),
    [("pubsub", "db", 1, True), ("redis", "cached_db", 2, False)],
)
async def test_inv1_to_inv5_survive_each_fault(
    layer: str, engine: str, limit: int, watches_browsers: bool
) -> None:
    plan = Plan(
        in_turn=True,
        watches_browsers=watches_browsers,
        layer=layer,
        engine=engine,
        limit=limit,
        users=4,
        fault_seconds=(0.8, 0.8),
        pause_seconds=(0.5, 0.5),
        patience=20,
    )
    report = await run(plan)
    print(json.dumps(report.as_json(), indent=1))
    assert report.violations == [], report.log[-20_000:]
    assert report.journal.logins
    assert report.journal.told
