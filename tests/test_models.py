"""The registry's table."""

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone

from live_single_session.models import EndReason, UserSession, as_uuid, digest

pytestmark = pytest.mark.django_db


def row(user, serial, **fields):
    return UserSession.objects.create(user=user, serial=serial, **fields)


def test_migrations_are_complete():
    call_command("makemigrations", "live_single_session", check=True, verbosity=0)


def test_end_reasons_are_those_of_the_contract():
    assert EndReason.values == [
        "superseded",
        "logged_out",
        "revoked",
        "revoked_by_staff",
        "password_changed",
        "user_switched",
        "deactivated",
        "expired",
        "idle",
        "lifetime",
        "removed",
        "shared",
    ]


def test_live_and_ended_and_of(alice, bob):
    now = timezone.now()
    live = row(alice, 1)
    ended = row(alice, 2, ended_at=now, end_reason=EndReason.REVOKED)
    of_bob = row(bob, 1, expires_at=now - timedelta(days=1))
    assert set(UserSession.objects.live()) == {live, of_bob}
    assert set(UserSession.objects.ended()) == {ended}
    assert set(UserSession.objects.of(alice)) == {live, ended}
    assert set(UserSession.objects.of(alice).live()) == {live}


def test_unfinished_work_is_what_ended_and_still_has_a_key(alice):
    now = timezone.now()
    row(alice, 1, session_key="a")
    row(alice, 2, ended_at=now)
    left = row(alice, 3, session_key="b", ended_at=now)
    assert set(UserSession.objects.unfinished()) == {left}


def test_no_two_logins_of_a_user_are_equally_old(alice):
    row(alice, 1)
    with pytest.raises(IntegrityError):
        row(alice, 1)


def test_no_two_sessions_have_the_same_key(alice):
    row(alice, 1, key_digest=digest("key"))
    row(alice, 2, key_digest=None)
    row(alice, 3, key_digest=None)
    with pytest.raises(IntegrityError):
        row(alice, 4, key_digest=digest("key"))


def test_the_row_that_took_a_place_may_be_deleted(alice):
    newer = row(alice, 2)
    older = row(alice, 1, replaced_by=newer)
    newer.delete()
    older.refresh_from_db()
    assert older.replaced_by is None


def test_a_user_s_rows_go_with_the_user(alice):
    row(alice, 1)
    alice.delete()
    assert not UserSession.objects.exists()


def test_inv7_neither_text_nor_repr_tells_the_key(alice):
    session = row(alice, 1, session_key="secret-key", key_digest=digest("secret-key"))
    for text in (str(session), repr(session)):
        assert str(session.pk) in text
        assert "secret-key" not in text
        assert session.key_digest not in text


@pytest.mark.parametrize(
    "value", [None, "", "42", "x" * 36, "0" * 31, "\x00", [], {}, b"", 7, "é" * 32]
)
def test_what_is_no_uuid_is_none(value):
    assert as_uuid(value) is None


def test_what_is_a_uuid_is_read():
    value = uuid.uuid4()
    assert as_uuid(value) == as_uuid(str(value)) == value
