"""What one user does after the other, on each engine and through both kinds of view."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from live_single_session.models import EndReason, UserSession
from live_single_session.registry import ending
from tests.helpers.browsers import Browser, live, reasons
from tests.site.people import PASSWORD

User = get_user_model()

pytestmark = pytest.mark.usefixtures("engine_and_cache")


def test_inv1_newer_login_ends_older_one(twin):
    left, right = Browser(twin), Browser(twin)
    left.sign_in()
    assert left.who() == "alice"
    right.sign_in()
    assert left.who() is None
    assert right.who() == "alice"
    assert [str(row.pk) for row in live()] == [right.session_id]
    assert reasons() == ["superseded", ""]


def test_inv2_ended_session_is_explained_once(left, right):
    left.sign_in()
    right.sign_in()
    assert left.why_ended() == "superseded"
    assert left.why_ended() == "(not told)"


def test_inv2_ended_cookie_never_works_again(left, right):
    left.sign_in()
    cookie = left.cookie
    right.sign_in()
    for _ in range(3):
        left.cookie = cookie
        assert left.who() is None
    right.sign_out()
    left.cookie = cookie
    assert left.who() is None


def test_inv2_signed_out_cookie_cannot_be_replayed(twin):
    browser = Browser(twin)
    browser.sign_in()
    cookie = browser.cookie
    browser.sign_out()
    assert reasons() == ["logged_out"]
    browser.cookie = cookie
    assert browser.who() is None


def test_inv6_second_sign_in_in_the_same_browser_is_the_same_session(twin):
    browser = Browser(twin)
    browser.sign_in()
    first = browser.session_id
    browser.sign_in()
    assert browser.who() == "alice"
    assert browser.session_id == first
    assert reasons() == [""]


def test_inv6_user_is_switched_in_one_browser(twin, bob):
    browser = Browser(twin)
    browser.sign_in("alice")
    old = browser.cookie
    browser.sign_in("bob")
    assert browser.who() == "bob"
    ended = UserSession.objects.ended().get()
    assert ended.end_reason == EndReason.USER_SWITCHED
    assert ended.replaced_by_id == UserSession.objects.of(bob).live().get().pk
    stale = Browser(twin)
    stale.cookie = old
    assert stale.why_ended() == "user_switched"


def test_inv6_users_do_not_end_each_other(left, right):
    left.sign_in("alice")
    right.sign_in("bob")
    assert (left.who(), right.who()) == ("alice", "bob")


def test_inv6_rotated_key_is_the_same_session(twin, engine_and_cache):
    browser = Browser(twin)
    browser.sign_in()
    first, old = browser.session_id, browser.cookie
    assert browser.get("/rotate/").status_code == 200
    if engine_and_cache != "signed_cookies":
        assert browser.cookie != old
    assert browser.session_id == first
    assert browser.who() == "alice"
    other = Browser()
    other.sign_in()
    assert browser.who() is None
    assert reasons() == ["superseded", ""]


def test_inv2_key_that_a_middleware_changes_beside_the_status_is_recorded(
    left, right, engine_and_cache, settings
):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.changes_key"]
    left.sign_in()
    earlier = left.session_id
    left.sign_out()
    left.sign_in()
    old = left.cookie
    assert left.get(f"/session/status/?session={earlier}&new_key=1").status_code == 401
    if engine_and_cache != "signed_cookies":
        assert left.cookie != old
    assert left.who() == "alice"
    right.sign_in()
    assert left.who() is None


def changes_key(get_response):
    def middleware(request):
        if "new_key" in request.GET:
            request.session.cycle_key()
        return get_response(request)

    return middleware


def test_inv6_changed_password_ends_the_others_only(twin, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 3}
    own, other = Browser(twin), Browser(twin)
    other.sign_in()
    own.sign_in()
    assert own.post_json("/password/", {"password": "changed"}).status_code == 200
    assert own.who() == "alice"
    assert other.why_ended() == "password_changed"
    assert reasons() == ["password_changed", ""]


def test_inv2_password_changed_by_somebody_else_ends_all(left, right, alice, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    left.sign_in()
    right.sign_in()
    alice.set_password("changed")
    alice.save()
    assert left.why_ended() == right.why_ended() == "password_changed"


def test_inv2_password_that_is_taken_away_ends_all(left, right, alice, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    left.sign_in()
    right.sign_in()
    alice.set_unusable_password()
    alice.save()
    assert reasons() == ["password_changed", "password_changed"]


def test_inv6_user_who_never_had_a_password_is_saved_and_stays_signed_in(left, alice):
    User.objects.filter(pk=alice.pk).update(password=make_password(None))
    alice.refresh_from_db()
    left.force_login(alice)
    alice.save()
    assert left.who() == "alice"


def test_inv6_upgraded_hash_is_no_changed_password(left, settings):
    left.sign_in()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    other = Browser()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    other.sign_in()
    assert User.objects.get(username="alice").password.startswith("pbkdf2")
    assert "password_changed" not in reasons()


def test_inv6_password_that_is_not_saved_ends_nothing(left, alice):
    left.sign_in()
    alice.set_password("never saved")
    alice.save(update_fields=["last_login"])
    assert left.who() == "alice"


def test_inv2_password_that_is_saved_later_ends_all(left, alice):
    left.sign_in()
    alice.set_password("changed")
    alice.save(update_fields=["last_login"])
    alice.save(update_fields=["email"])
    assert reasons() == [""]
    alice.save()
    assert reasons() == ["password_changed"]
    assert left.why_ended() == "password_changed"


def test_inv6_password_that_is_dropped_ends_nothing_later(left, alice):
    left.sign_in()
    alice.set_password("never saved")
    alice.save(update_fields=["last_login"])
    alice.refresh_from_db()
    alice.save()
    assert left.who() == "alice"


def test_inv6_password_ends_only_what_there_was_when_it_was_saved(left, alice):
    alice.set_password(PASSWORD)
    alice.save(update_fields=["last_login"])
    alice.save()
    left.sign_in()
    alice.save()
    assert left.who() == "alice"


def test_inv6_secret_key_rotation_is_no_changed_password(left, right, settings, twin):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    left.twin = right.twin = twin
    left.sign_in()
    right.sign_in()
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "rotated"
    settings.SECRET_KEY_FALLBACKS = [old]
    for _ in range(2):
        assert left.who() == right.who() == "alice"
    assert reasons() == ["", ""]
    settings.SECRET_KEY_FALLBACKS = []
    assert left.who() == right.who() == "alice"
    left.sign_in()
    right.sign_in()
    assert reasons() == ["", ""]


def test_inv2_secret_key_rotation_without_fallback_is_no_changed_password(left, settings):
    left.sign_in()
    settings.SECRET_KEY = "rotated"
    assert left.who() is None
    assert "password_changed" not in reasons()
    left.sign_in()
    assert left.who() == "alice"
    assert len(live()) == 1


def test_inv2_deactivated_user_is_out(left, alice):
    left.sign_in()
    alice.is_active = False
    alice.save()
    assert reasons() == ["deactivated"]
    assert left.why_ended() == "deactivated"


def test_inv2_user_deactivated_in_bulk_is_out(left, alice, twin):
    left.twin = twin
    left.sign_in()
    cookie = left.cookie
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert left.why_ended() == "deactivated"
    assert reasons() == ["deactivated"]
    User.objects.filter(pk=alice.pk).update(is_active=True)
    left.cookie = cookie
    assert left.who() is None


def test_inv2_user_deactivated_in_bulk_is_found_by_the_recheck(left, alice):
    left.sign_in()
    session_id = left.row.pk
    User.objects.filter(pk=alice.pk).update(is_active=False)
    ended = ending.ended_among([session_id])
    assert ended[session_id].end_reason == EndReason.DEACTIVATED


def test_inv2_deleted_user_is_out(left, alice, heard):
    left.sign_in()
    session_id = left.row.pk
    alice.delete()
    assert [(event, row.end_reason) for event, row in heard][1:] == [("ended", "deactivated")]
    assert left.who() is None
    assert ending.ended_among([session_id]) == {session_id: None}


def test_inv2_user_deleted_in_bulk_is_out(left, alice):
    left.sign_in()
    User.objects.filter(pk=alice.pk).delete()
    assert left.who() is None


def test_missing_row_counts_as_ended_wherever_somebody_looks(left, engine_and_cache):
    left.sign_in()
    session_id = left.row.pk
    UserSession.objects.all().delete()
    assert ending.ended_among([session_id]) == {session_id: None}
    left.get("/rotate/")
    if engine_and_cache in ("file", "signed_cookies"):
        assert left.who() is None
    left.sign_in()
    assert left.who() == "alice"
    assert len(live()) == 1


def test_inv2_missing_row_ends_a_session_that_rotates(left):
    left.sign_in()
    UserSession.objects.all().delete()
    left.get("/rotate/")
    assert left.who() is None


def test_expired_session_is_explained(left, settings):
    left.sign_in()
    UserSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    left.session.delete(left.cookie)
    if settings.SESSION_ENGINE.endswith("signed_cookies"):
        settings.SESSION_COOKIE_AGE = -1
        assert left.who() is None
    else:
        assert left.why_ended() == "expired"
        assert reasons() == ["expired"]


def test_expired_sessions_end_when_the_registry_is_pruned(left, right, engine_and_cache):
    left.sign_in("alice")
    right.sign_in("bob")
    UserSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    session = left.session
    session.set_expiry(-1)
    session.save()
    call_command("prune_sessions")
    assert reasons_of("alice") == ["expired"]
    # The engine has the last word, if it can be asked.
    assert reasons_of("bob") == ["expired" if engine_and_cache == "signed_cookies" else ""]


def reasons_of(name):
    rows = UserSession.objects.filter(user__username=name)
    return list(rows.values_list("end_reason", flat=True))


def test_sliding_session_does_not_expire_in_the_registry(left, settings):
    """What the registry knows of the expiry may be old: the engine has the last word."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    left.sign_in()
    session_id = left.row.pk
    UserSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert left.who() == "alice"
    assert ending.ended_among([session_id]) == {}


@pytest.mark.parametrize("atomic", [False, True])
def test_inv3_login_that_fails_later_is_dealt_with(left, right, settings, atomic):
    from django.db import connection

    left.sign_in()
    connection.settings_dict["ATOMIC_REQUESTS"] = atomic
    try:
        broken = right.post_json("/api/login-and-fail/", _alice())
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert broken.status_code == 500
    assert right.who() is None
    if atomic:
        assert left.who() == "alice"
        assert reasons() == [""]
    else:
        assert reasons() == ["superseded", "logged_out"]
    right.sign_in()
    assert right.who() == "alice"
    assert len(live()) == 1


def test_inv3_undone_login_ends_nothing(left, right):
    left.sign_in()
    assert right.post_json("/ended/login-and-undo/", _alice()).status_code == 200
    assert left.who() == "alice"
    assert right.who() is None
    assert [str(row.pk) for row in live()] == [left.session_id]


def _alice():
    from tests.site.people import credentials

    return credentials("alice")


def test_force_login_and_bare_requests_are_recorded(alice):
    client = Client()
    client.force_login(alice)
    assert client.get("/whoami/").json() == {"user": "alice"}
    assert len(live()) == 1
    other = Client()
    other.force_login(alice)
    assert client.get("/whoami/").json() == {"user": None}
    assert other.get("/whoami/").json() == {"user": "alice"}


def test_inv6_flush_is_a_sign_out_of_its_own_kind(left, engine_and_cache):
    left.sign_in()
    response = left.post("/ended/flush/")
    assert response.status_code == 200
    assert "Session-Ended" not in response
    assert left.who() is None
    assert reasons() == ["logged_out"]


@pytest.mark.parametrize("days", [1, 90])
def test_remembered_session_is_recorded_as_long_as_it_lasts(left, days):
    left.post_json(f"/ended/remember/?days={days}", _alice())
    assert left.who() == "alice"
    lifetime = live()[0].expires_at - timezone.now()
    assert timedelta(days=0.9 * days) < lifetime < timedelta(days=1.2 * days)


def test_ids_are_no_credentials(left):
    left.sign_in()
    other = Browser()
    other.cookie = left.session_id
    assert other.who() is None
    assert uuid.UUID(left.session_id)


def test_rows_of_the_engine_are_gone(left, right, engine_and_cache):
    left.sign_in()
    right.sign_in()
    assert not UserSession.objects.unfinished().exists()
    if engine_and_cache in ("db", "cached_db"):
        assert Session.objects.count() == 1
