"""Processes that die between the commit of a login and the clean-up after it.

LIVE_SINGLE_SESSION_ROUNDS in the environment: how often they are killed at random.
"""

import os
import random
from functools import partial
from io import StringIO
from threading import Event, Thread

import httpx
import pytest
from django.core.management import call_command

from live_single_session.models import UserSession
from live_single_session.registry import ending, lifecycle
from live_single_session.registry import engine as session_engine
from tests.helpers.engines import KEYED, engine_holds
from tests.helpers.processes import at_once, environment, sign_in, who
from tests.helpers.threads import in_threads

ROUNDS = int(os.environ.get("LIVE_SINGLE_SESSION_ROUNDS", "3"))


class Died(BaseException):
    """What is raised where the process is to die: nothing in its way catches it."""


def die(*args, **kwargs):
    raise Died


@pytest.fixture(params=["db", "cached_db", "cache", "file"])
def crashed(request, switch_engine, left, right, monkeypatch):
    """The key of a session that ended in a process that then died, before the clean-up."""
    switch_engine(request.param)
    if request.param in ("db", "cached_db"):
        # So that there is something to clean up: sessions in a database of their own.
        monkeypatch.setattr(session_engine, "shares_transaction", lambda using: False)
    left.sign_in()
    key = left.cookie
    with monkeypatch.context() as patch:
        patch.setattr(session_engine, "forget", die)
        with pytest.raises(Died):
            right.sign_in()
    assert engine_holds(key)
    assert UserSession.objects.unfinished().count() == 1
    return key


def test_inv3_crash_leaves_no_gap_behind_a_fence(crashed, left, twin):
    left.twin = twin
    left.cookie = crashed
    assert left.who() is None


def test_inv3_crash_leaves_nothing_of_a_row_that_is_deleted_with_the_login(
    switch_engine, left, right, monkeypatch
):
    switch_engine("db")
    left.sign_in()
    key = left.cookie
    monkeypatch.setattr(session_engine, "forget", die)
    right.sign_in()
    assert not engine_holds(key)
    assert right.who() == "alice"


def test_inv3_next_login_finishes(crashed, left, right):
    right.sign_in()
    assert not engine_holds(crashed)
    assert not UserSession.objects.unfinished().exists()
    left.cookie = crashed
    assert left.who() is None


def test_inv3_recheck_finishes(crashed, left):
    row = UserSession.objects.unfinished().get()
    assert ending.ended_among([row.pk])[row.pk].end_reason == "superseded"
    assert not engine_holds(crashed)
    left.cookie = crashed
    assert left.who() is None


def finish_by_command(**options):
    out = StringIO()
    call_command("finish_ended_sessions", stdout=out, **options)
    return out.getvalue()


def test_inv3_command_finishes_and_may_be_repeated(crashed, left):
    assert finish_by_command() == "Finished 1 ended session.\n"
    assert finish_by_command() == "Finished 0 ended sessions.\n"
    assert finish_by_command(verbosity=0) == ""
    assert not engine_holds(crashed)
    left.cookie = crashed
    assert left.who() is None


def test_inv3_command_runs_on_several_machines_at_once(crashed, right):
    right.sign_in()
    with in_threads(4) as submit:
        outputs = [submit(finish_by_command) for _ in range(4)]
    assert all(output.result().startswith("Finished ") for output in outputs)
    assert not UserSession.objects.unfinished().exists()
    assert right.who() == "alice"


def test_inv3_clean_up_that_fails_is_done_later(switch_engine, left, right, monkeypatch):
    switch_engine("cache")
    left.sign_in()
    key = left.cookie
    with monkeypatch.context() as patch:
        patch.setattr(session_engine, "forget", lambda key: 1 / 0)
        right.sign_in()
        assert finish_by_command() == "Finished 0 ended sessions.\n"
    left.cookie = key
    assert left.who() is None
    assert finish_by_command() == "Finished 1 ended session.\n"


@pytest.mark.parametrize("engine", KEYED)
def test_inv3_a_rotation_that_is_broken_off_has_not_happened(
    engine, switch_engine, left, right, monkeypatch
):
    """Django alone loses such a session."""
    switch_engine(engine)
    left.sign_in()
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "_change_key", die)
        with pytest.raises(Died):
            left.get("/rotate/")
    assert left.who() == "alice"
    right.sign_in()
    assert (left.who(), right.who()) == (None, "alice")


@pytest.mark.parametrize("engine", KEYED)
def test_inv3_killed_process_leaves_no_session_that_lives_on(
    engine, site_database, redis, start_daphne, tmp_path
):
    """SIGKILL at random moments of eight logins; then one login by another process."""
    env = environment(engine, site_database("postgres"), redis, tmp_path / "sessions")
    doomed, survivor = at_once([partial(start_daphne, **env)] * 2)
    for number in range(ROUNDS):
        before = [sign_in(url).cookies["sessionid"] for url in (doomed.url, survivor.url)]
        rng = random.Random(number)
        killer = Thread(target=_kill_after, args=(doomed, rng.random() * 0.5))
        killer.start()
        answers = at_once([partial(_try_to_sign_in, doomed.url)] * 8)
        killer.join()
        last = sign_in(survivor.url).cookies["sessionid"]
        cookies = {*before, *filter(None, answers)}
        assert not [cookie for cookie in cookies if who(survivor.url, cookie)]
        assert who(survivor.url, last) == "alice"
        doomed.restart()


def _kill_after(daphne, seconds):
    Event().wait(seconds)
    daphne.kill()


def _try_to_sign_in(url):
    try:
        return sign_in(url).cookies.get("sessionid")
    except httpx.HTTPError:
        return None
