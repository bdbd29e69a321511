"""The commands: whom they end, what they ask, what they print, and how they exit."""

import asyncio
import io
import json
from datetime import timedelta

import pytest
import redis
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import Browser

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def everybody(alice, bob, carol, settings):
    """Alice is signed in twice, from two addresses; Bob and Carol once."""
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    for name, address in [
        ("alice", "192.0.2.1"),
        ("alice", "2001:db8::1"),
        ("bob", "192.0.2.1"),
        ("carol", "192.0.2.9"),
    ]:
        Browser(REMOTE_ADDR=address).sign_in(name)


@pytest.fixture
def typed(monkeypatch):
    """`typed("y")`: what somebody at a terminal answers."""

    def type_in(answer):
        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("builtins.input", lambda prompt: answer)

    return type_in


def run(command, *arguments, **options):
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def failing(command, *arguments):
    with pytest.raises(CommandError) as caught:
        run(command, *arguments)
    return caught.value


def live():
    rows = UserSession.objects.live().order_by("user__username", "serial")
    return [f"{row.user.username} {row.ip}" for row in rows.select_related("user")]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--all"], []),
        (["--user", "alice"], ["bob 192.0.2.1", "carol 192.0.2.9"]),
        (["--user", "bob", "--user", "carol"], ["alice 192.0.2.1", "alice 2001:db8::1"]),
        (["--ip", "192.0.2.1"], ["alice 2001:db8::1", "carol 192.0.2.9"]),
        (
            ["--ip", "2001:0DB8:0::0001"],
            ["alice 192.0.2.1", "bob 192.0.2.1", "carol 192.0.2.9"],
        ),
        (
            ["--user", "alice", "--ip", "192.0.2.1"],
            ["alice 2001:db8::1", "bob 192.0.2.1", "carol 192.0.2.9"],
        ),
        (["--all", "--except", "carol"], ["carol 192.0.2.9"]),
    ],
)
def test_ends_whom_it_was_told(everybody, arguments, left):
    ended = 4 - len(left)

    out = run("end_sessions", *arguments, "--no-input")

    assert live() == left
    assert f"Sessions ended: {ended}." in out
    assert set(UserSession.objects.ended().values_list("end_reason", flat=True)) == {
        EndReason.REVOKED_BY_STAFF
    }
    assert Session.objects.count() == len(left)


def test_asks_first_and_says_how_many(everybody, typed):
    typed("n")
    error = failing("end_sessions", "--all")

    assert error.returncode == 3
    assert len(live()) == 4

    typed("y")
    out = run("end_sessions", "--all")

    assert "Live sessions found: 4, of users: 3." in out
    assert live() == []


def test_in_a_pipe_it_does_not_wait_for_an_answer(everybody, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert failing("end_sessions", "--all").returncode == 2
    assert len(live()) == 4


def test_a_dry_run_ends_nobody(everybody):
    out = run("end_sessions", "--all", "--dry-run")

    assert "Live sessions found: 4" in out
    assert len(live()) == 4


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--except", "alice"], 2),
        (["--ip", "somewhere"], 2),
        (["--user", "mallory"], 1),
        (["--all", "--except", "mallory"], 1),
    ],
)
def test_wrong_arguments_end_nobody(everybody, arguments, code):
    assert failing("end_sessions", *arguments, "--no-input").returncode == code
    assert len(live()) == 4


def test_nothing_to_do_is_no_failure(alice):
    assert "Live sessions found: 0" in run("end_sessions", "--user", "alice", "--no-input")


def test_a_terminal_sees_a_bar_and_a_pipe_sees_lines(everybody, capsys):
    lines = io.StringIO()

    run("end_sessions", "--user", "alice", "--no-input", stderr=Terminal())
    run("end_sessions", "--all", "--no-input", stderr=lines)

    assert "Sessions ended: 100%" in capsys.readouterr().err
    assert lines.getvalue() == "Sessions ended: 2 of 2\n"


def test_prunes_what_ended_long_ago_and_leaves_the_rest(everybody, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None, "KEEP_ENDED_DAYS": 30}
    run("end_sessions", "--user", "alice", "--no-input")
    old, recent = UserSession.objects.ended()
    UserSession.objects.filter(pk=old.pk).update(ended_at=F("ended_at") - timedelta(days=31))
    UserSession.objects.filter(pk=recent.pk).update(replaced_by=old)

    assert "Ended sessions to delete: 1." in run("prune_sessions", "--dry-run")
    out = run("prune_sessions")

    assert "Ended sessions deleted: 1." in out
    assert not UserSession.objects.filter(pk=old.pk).exists()
    recent.refresh_from_db()
    assert recent.replaced_by is None
    assert live() == ["bob 192.0.2.1", "carol 192.0.2.9"]
    assert "Ended sessions deleted: 1." in run("prune_sessions", "--days", "0")
    assert failing("prune_sessions", "--days", "-1").returncode == 2


def test_prune_ends_what_expired_unnoticed_but_asks_the_engine_first(everybody):
    past, future = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)
    UserSession.objects.update(expires_at=past)  # the registry's knowledge is old
    bobs = UserSession.objects.get(user__username="bob")
    Session.objects.update(expire_date=future)
    Session.objects.filter(session_key=bobs.session_key).update(expire_date=past)
    carols = UserSession.objects.get(user__username="carol")
    Session.objects.filter(session_key=carols.session_key).delete()

    out = run("prune_sessions")

    assert "Sessions that had expired: 2." in out
    assert live() == ["alice 192.0.2.1", "alice 2001:db8::1"]
    bobs.refresh_from_db()
    assert bobs.end_reason == EndReason.EXPIRED


def test_prune_ends_nothing_while_the_cache_is_away(everybody, settings):
    UserSession.objects.update(expires_at=timezone.now() - timedelta(days=1))
    settings.SESSION_ENGINE = "live_single_session.backends.cache"
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {"default": {**away, "LOCATION": "redis://127.0.0.1:1"}}

    with pytest.raises(redis.ConnectionError):
        run("prune_sessions")

    assert len(live()) == 4


def test_prune_says_what_the_engine_has_not_forgotten(everybody, settings, monkeypatch):
    settings.SESSION_ENGINE = "live_single_session.backends.file"
    alices = UserSession.objects.filter(user__username="alice")
    alices.update(ended_at=timezone.now() - timedelta(days=200), end_reason="superseded")

    def fail(key):
        raise OSError("the disk is gone")

    monkeypatch.setattr("live_single_session.registry.engine.forget", fail)
    error = failing("prune_sessions")

    assert error.returncode == 1
    assert "has not forgotten yet: 2" in str(error)
    assert alices.count() == 2


def test_lists_who_is_signed_in_for_people_and_for_programs(everybody):
    text = run("list_sessions", "--user", "alice")
    lines = [json.loads(line) for line in run("list_sessions", "--json").splitlines()]

    assert len(text.splitlines()) == 3
    assert [line["user"] for line in lines] == ["alice", "alice", "bob", "carol"]
    assert lines[0]["ip"] == "192.0.2.1"
    assert lines[0]["ended_at"] is None
    assert failing("list_sessions", "--user", "mallory").returncode == 1


def test_lists_how_sessions_ended(everybody):
    run("end_sessions", "--user", "bob", "--no-input")

    (line,) = run("list_sessions", "--ended", "--json").splitlines()

    assert json.loads(line)["end_reason"] == "revoked_by_staff"
    assert failing("list_sessions", "--ended", "--over-limit").returncode == 2


def test_inv7_no_list_holds_a_session_key(everybody):
    listed = run("list_sessions") + run("list_sessions", "--json")

    for row in UserSession.objects.all():
        assert row.session_key
        assert row.session_key not in listed
        assert row.key_digest not in listed


class SilentLayer:
    """A channel layer that takes everything and never answers."""

    asked = 0

    async def group_send(self, group, message):
        self.asked += 1
        await asyncio.Event().wait()


@pytest.mark.django_db(transaction=True)
def test_inv5_a_silent_channel_layer_is_waited_for_once_and_not_for_each_user(
    everybody, settings, monkeypatch, caplog
):
    settings.LIVE_SINGLE_SESSION = {"PUSH_TIMEOUT_SECONDS": 0.05}
    layer = SilentLayer()
    monkeypatch.setattr("live_single_session.realtime.push.find_layer", lambda: layer)

    run("end_sessions", "--all", "--no-input")

    assert live() == []
    assert len([r for r in caplog.records if "channel layer failed" in r.message]) == 1


@pytest.mark.django_db(transaction=True)
def test_many_users_are_signed_out_in_batches_of_the_same_few_queries(
    settings, django_assert_max_num_queries, monkeypatch
):
    users = User.objects.bulk_create(User(username=f"user{n}") for n in range(30))
    UserSession.objects.bulk_create(
        UserSession(user=user, serial=serial, session_key=f"{user.pk}-{serial}")
        for user in users
        for serial in (1, 2)
    )
    monkeypatch.setattr("live_single_session.registry.db.CHUNK", 20)

    with django_assert_max_num_queries(12 * 3 + 4) as captured:  # BEGIN and COMMIT, too
        run("end_sessions", "--all", "--no-input")

    print(len(captured), "queries for 60 sessions in 3 batches")
    assert live() == []
