"""Races, forced into exactly one order: each with its protection, and without it.

What the unprotected variants assert is the harm: it shows that the order is the right one
and that the protection is what averts the harm.
"""

import tempfile
from contextlib import contextmanager

import pytest
from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache.backends.locmem import LocMemCache
from django.db import OperationalError, connection
from django.utils import timezone

from live_single_session import middleware
from live_single_session.backends.fence import Fence
from live_single_session.backends.marks import MarkedFence, mark_of
from live_single_session.http import follow_ups
from live_single_session.models import SESSION_ID_KEY, UserSession, UserSessionQuerySet, as_uuid
from live_single_session.registry import (
    cleanup,
    db,
    ending,
    events,
    gate,
    lifecycle,
    limits,
    logins,
    records,
)
from live_single_session.registry import engine as session_engine
from tests.helpers.browsers import Browser, live, reasons
from tests.helpers.engines import ENGINES, KEYED, engine_holds
from tests.helpers.threads import Hook, held, in_threads
from tests.site.gate import Gate
from tests.site.people import credentials

PROTECTED = pytest.mark.parametrize("protected", [True, False], ids=["protected", "without"])


def tab_of(browser):
    """Another tab of the same browser, as far as what it sends is concerned."""
    tab = Browser(browser.twin, raise_request_exception=False)
    tab.cookie = browser.cookie
    return tab


# A slow request that saves its session after it ended


@pytest.mark.parametrize("path", ["/slow/", "/ended/save-slowly/"])
def test_inv2_slow_request_gets_its_own_answer_and_saves_nothing(
    path, twin, engine, gate, right, settings
):
    settings.GATE_DIRECTORY = str(gate.directory)
    left = Browser(twin, raise_request_exception=False)
    left.sign_in()
    cookie = left.cookie
    with held(gate, left, path) as answer:
        right.sign_in()
    response = answer.result()
    assert (response.status_code, response.json()) == (200, {"user": "alice"})
    left.cookie = cookie
    assert left.why_ended() == "superseded"
    assert right.who() == "alice"
    if engine != "signed_cookies":
        assert not engine_holds(cookie)


@pytest.mark.parametrize("path", ["/slow/", "/ended/save-slowly/"])
@pytest.mark.parametrize("engine_name", KEYED)
def test_without_dropping_what_is_saved_late_a_slow_request_fails(
    path, engine_name, switch_engine, left, right, gate, monkeypatch
):
    switch_engine(engine_name)
    monkeypatch.setattr(Fence, "_unless_gone", lambda session, save: save())
    left.sign_in()
    with held(gate, left, path) as answer:
        right.sign_in()
    assert answer.result().status_code in (400, 500)


@pytest.mark.parametrize("engine_name", ["cached_db", "cache"])
@PROTECTED
def test_inv2_save_that_began_before_the_end_brings_nothing_back(
    protected, engine_name, switch_engine, left, right, gate, monkeypatch
):
    """It has found its session there; then the session ends, and then it is written."""
    switch_engine(engine_name, fenced=protected)
    left.sign_in()
    key = left.cookie
    writing = Hook(monkeypatch, LocMemCache, "set", lambda cache, name, *_: name.endswith(key))
    gate.open()
    with held(writing, left, "/slow/") as answer:
        right.sign_in()
    assert answer.result().status_code == 200
    assert engine_holds(key)
    left.cookie = key
    assert left.who() == (None if protected else "alice")
    assert right.who() == "alice"


@PROTECTED
def test_inv2_file_that_is_written_late_brings_nothing_back(
    protected, switch_engine, left, right, gate, monkeypatch
):
    switch_engine("file", fenced=protected)
    left.sign_in()
    key = left.cookie
    writing = Hook(monkeypatch, tempfile, "mkstemp")
    gate.open()
    with held(writing, left, "/slow/") as answer:
        right.sign_in()
    assert answer.result().status_code == 200
    assert engine_holds(key)
    left.cookie = key
    assert left.who() == (None if protected else "alice")


@PROTECTED
def test_inv2_signed_cookie_cannot_be_sent_again(
    protected, switch_engine, left, right, gate, twin
):
    switch_engine("signed_cookies", fenced=protected)
    left.twin = twin
    left.sign_in()
    with held(gate, left, "/slow/") as answer:
        right.sign_in()
    assert answer.result().status_code == 200
    assert left.who() == (None if protected else "alice")


def test_database_that_fails_is_not_taken_for_a_session_that_ended(left, gate, monkeypatch):
    """Nothing of what the request wrote is dropped without a word."""
    left.sign_in()
    gate.open()
    with monkeypatch.context() as patch:
        patch.setattr(type(Session._default_manager.all()), "update", out_of_order)
        answer = left.get("/slow/")
    assert answer.status_code == 400
    assert left.who() == "alice"


def out_of_order(*args, **kwargs):
    raise OperationalError


@pytest.mark.parametrize("undone", [False, True], ids=["kept", "unprotected"])
@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_slow_request_of_an_ended_session_leaves_a_newer_cookie_alone(
    undone, engine_name, switch_engine, left, right, gate, monkeypatch
):
    switch_engine(engine_name)
    if undone:
        monkeypatch.setattr(middleware, "skip_session_cookie", lambda response: None)
    left.sign_in()
    tab = tab_of(left)
    with held(gate, tab, "/slow/") as answer:
        right.sign_in()
        left.sign_in()
    assert ("sessionid" in answer.result().cookies) is undone
    assert left.who() == "alice"


# A cache filled by a read that began before the end


@pytest.mark.parametrize("path", ["/whoami/", "/async/whoami/"])
@PROTECTED
def test_inv2_read_that_began_before_the_end_brings_nothing_back(
    protected, path, switch_engine, left, right, monkeypatch
):
    switch_engine("cached_db", fenced=protected)
    left.sign_in()
    key = left.cookie
    store = session_engine.store_class()()
    store._cache.delete(store.cache_key_prefix + key)
    filling = Hook(monkeypatch, LocMemCache, "set", lambda cache, name, *_: name.endswith(key))
    with held(filling, left, path):
        right.sign_in()
    assert engine_holds(key)
    left.cookie = key
    assert left.who() == (None if protected else "alice")
    assert right.who() == "alice"


@pytest.mark.parametrize("engine_name", ["cached_db", "cache"])
def test_inv2_engine_asks_the_registry_while_its_cache_fails(
    engine_name, switch_engine, left, right, monkeypatch, twin
):
    """`cached_db` then reads from the database, where the row may not be deleted yet."""
    switch_engine(engine_name)
    left.twin = twin
    monkeypatch.setattr(session_engine, "forget", failing)
    monkeypatch.setattr(session_engine, "delete_rows", lambda keys, using: set())
    left.sign_in()
    key = left.cookie
    right.sign_in()
    assert engine_holds(key)
    monkeypatch.setattr(LocMemCache, "get_many", failing)
    left.cookie = key
    assert left.who() is None


def failing(*args, **kwargs):
    raise ConnectionError("the cache is gone")


def failing_as_memcached_does(cache, data, **kwargs):
    return list(data)


@pytest.mark.parametrize("fail", [failing, failing_as_memcached_does])
@pytest.mark.parametrize("engine_name", ["cached_db", "cache"])
def test_inv3_mark_that_could_not_be_set_is_set_by_the_clean_up(
    fail, engine_name, switch_engine, left, right, monkeypatch
):
    switch_engine(engine_name)
    left.sign_in()
    key = left.cookie
    with monkeypatch.context() as patch:
        patch.setattr(LocMemCache, "set_many", fail)
        right.sign_in()
    assert UserSession.objects.unfinished().count() == 1
    assert cleanup.finish() == 1
    assert not engine_holds(key)
    store = session_engine.store_class()()
    assert store._cache.get_many([mark_of(store.cache_key_prefix + key)])
    assert cleanup.finish() == 0


# Two logins at once


def is_second(request):
    return request.headers.get("User-Agent") == "second"


@contextmanager
def unlocked_user(user_pk, *, wait=True):
    user = get_user_model().objects.get(pk=user_pk)
    yield db.Lock(user, timezone.now(), None)


def let_everybody_in(monkeypatch):
    """Take the fence away: whatever the engine has stored is signed in."""

    def obey(session, verdict, data):
        session.row_id, session._loaded = as_uuid(data.get(SESSION_ID_KEY)), dict(data)
        return data

    monkeypatch.setattr(Fence, "_obey", obey)


def rotate_unseen(session_id, user_pk, old_key, new_key, store):
    """Give a session a new key of which the registry doesn't know."""
    store()
    return new_key


@PROTECTED
def test_inv1_two_logins_at_once(protected, engine, left, right, monkeypatch):
    """The first has looked who is there, and not yet said that it is; the second comes."""
    if not protected:
        monkeypatch.setattr(db, "locked_user", unlocked_user)
    looked = Hook(monkeypatch, records, "read_for_sign_in", after=True)
    coming = Hook(monkeypatch, auth, "authenticate", is_second)
    coming.open()
    with in_threads(2) as submit:
        first = submit(left.post_json, "/api/login/", credentials("alice"))
        looked.wait_for_arrival()
        agent = {"User-Agent": "second"}
        second = submit(right.post_json, "/api/login/", credentials("alice"), headers=agent)
        coming.wait_for_arrival()
        if not protected:
            second.result()
        looked.open()
    statuses = [first.result().status_code, second.result().status_code]
    signed_in = [browser.who() for browser in (left, right)]
    if protected:
        assert statuses == [200, 200]
        assert signed_in == [None, "alice"]
        assert len(live()) == 1
    else:
        # At the last, the order of a user's logins is unique: one of them breaks.
        assert 500 in statuses or signed_in == ["alice", "alice"]


def test_inv1_login_that_has_not_answered_yet_holds_its_place(engine, settings, monkeypatch):
    """It has committed, and its browser has no cookie yet; its session is there already."""
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    first, second, third = (Browser(raise_request_exception=False) for _ in range(3))
    first.sign_in()
    answering = Hook(
        monkeypatch,
        events,
        "send_started",
        lambda row, request: is_second(request),
    )
    with in_threads() as submit:
        agent = {"User-Agent": "second"}
        answer = submit(second.post_json, "/api/login/", credentials("alice"), headers=agent)
        answering.wait_for_arrival()
        third.sign_in()
        answering.open()
    assert answer.result().status_code == 200
    assert [browser.who() for browser in (first, second, third)] == [None, "alice", "alice"]
    assert reasons() == ["superseded", "", ""]


# A login beside a key that is rotated


@PROTECTED
def test_inv2_login_beside_a_rotation(protected, engine, twin, gate, right, monkeypatch):
    if not protected:
        let_everybody_in(monkeypatch)
        monkeypatch.setattr(lifecycle, "rotate", rotate_unseen)
    left = Browser(twin)
    left.sign_in()
    with held(gate, left, "/ended/rotate-slowly/") as answer:
        right.sign_in()
    assert answer.result().json() == {"user": "alice"}
    assert left.who() == (None if protected else "alice")
    assert right.who() == "alice"


@pytest.mark.parametrize("engine_name", KEYED)
@PROTECTED
def test_inv6_request_beside_a_rotation_does_not_end_it(
    protected, engine_name, switch_engine, left, gate, monkeypatch
):
    """It comes with the old key, before and after the new one is recorded."""
    switch_engine(engine_name)
    if not protected:
        for module in (middleware, follow_ups):
            monkeypatch.setattr(module, "keep_session_cookie", lambda *args: None)
    left.sign_in()
    tab = tab_of(left)
    with held(gate, left, "/ended/rotate-slowly/"):
        assert tab.get("/whoami/").json() == {"user": "alice"}
    response = tab.get("/whoami/")
    assert response.json() == {"user": None}
    assert "Session-Ended" not in response.headers
    assert ("sessionid" in response.cookies) is not protected
    assert left.who() == "alice"


@pytest.mark.parametrize("engine_name", KEYED)
@PROTECTED
def test_inv2_two_rotations_at_once(
    protected, engine_name, switch_engine, left, right, gate, monkeypatch, twin
):
    """Whichever cookie the browser is left with works, until the session ends."""
    switch_engine(engine_name)
    if not protected:
        monkeypatch.setattr(lifecycle, "rotate", rotate_unseen)
    other_gate = Gate(gate.directory, "other")
    left.twin = twin
    left.sign_in()
    tab = tab_of(left)
    with (
        held(gate, left, "/ended/rotate-later/") as first,
        held(other_gate, tab, "/ended/rotate-later/?gate=other") as second,
    ):
        gate.open()
        first.result()
    assert first.result().status_code == second.result().status_code == 200
    if not protected:  # neither key is known: both open nothing, or for ever
        right.sign_in()
        is_trusted = engine_name in ("cached_db", "cache")
        assert {left.who(), tab.who()} == ({"alice"} if is_trusted else {None})
        return
    assert left.who() == tab.who() == "alice"
    assert left.cookie == tab.cookie
    assert len(live()) == 1
    right.sign_in()
    assert left.who() is tab.who() is None


@pytest.mark.parametrize("engine_name", ["cached_db", "cache"])
@PROTECTED
def test_inv2_key_that_was_left_behind_is_nobodys(
    protected, engine_name, switch_engine, left, right, monkeypatch, gate
):
    """A save that began before the rotation writes the old key again, after it."""
    switch_engine(engine_name)
    if not protected:
        monkeypatch.setattr(MarkedFence, "mark", lambda keys, seconds: None)
    left.sign_in()
    key = left.cookie
    tab = tab_of(left)
    writing = Hook(monkeypatch, LocMemCache, "set", lambda cache, name, *_: name.endswith(key))
    gate.open()
    with held(writing, tab, "/slow/"):
        left.get("/rotate/")
    assert engine_holds(key)
    tab.cookie = key
    assert tab.who() == (None if protected else "alice")
    assert left.who() == "alice"


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv2_key_that_rotates_in_a_header_is_followed(
    engine_name, switch_engine, left, right, settings
):
    switch_engine(engine_name)
    *outer, ours = settings.MIDDLEWARE
    settings.MIDDLEWARE = [*outer, "tests.backends.views.sessions_in_headers", ours]
    left.sign_in()
    old, app = left.cookie, Browser()
    new = app.get("/rotate/", headers={"X-Session": old})["X-Session"]
    assert new != old
    assert app.get("/whoami/", headers={"X-Session": new}).json() == {"user": "alice"}
    right.sign_in()
    for key in (old, new):
        assert app.get("/whoami/", headers={"X-Session": key}).json() == {"user": None}


# A login or another request beside a logout


def test_inv2_slow_request_beside_a_logout(engine, twin, gate):
    left = Browser(twin, raise_request_exception=False)
    left.sign_in()
    cookie = left.cookie
    tab = tab_of(left)
    with held(gate, tab, "/slow/") as answer:
        left.sign_out()
    assert answer.result().json() == {"user": "alice"}
    for browser in (left, tab):
        assert browser.who() is None
    tab.cookie = cookie
    assert tab.who() is None
    assert reasons() == ["logged_out"]


@PROTECTED
def test_inv2_cookie_of_before_a_logout_opens_nothing(
    protected, switch_engine, left, twin, gate
):
    switch_engine("signed_cookies", fenced=protected)
    left.twin = twin
    left.sign_in()
    tab = tab_of(left)
    with held(gate, tab, "/slow/"):
        left.sign_out()
    assert tab.who() == (None if protected else "alice")


@PROTECTED
def test_inv2_login_beside_a_logout(protected, engine, left, right, monkeypatch):
    left.sign_in()
    leaving = Hook(monkeypatch, ending, "end_where")
    with in_threads() as submit:
        answer = submit(left.sign_out)
        leaving.wait_for_arrival()
        right.sign_in()
        if not protected:  # what has ended ends again, for another reason
            monkeypatch.setattr(UserSessionQuerySet, "live", lambda rows: rows)
        leaving.open()
    assert answer.result().status_code == 200
    assert left.who() is None
    assert right.who() == "alice"
    assert reasons() == ["superseded" if protected else "logged_out", ""]


@PROTECTED
def test_inv2_sign_in_again_beside_a_logout_of_the_same_browser(
    protected, engine, left, monkeypatch
):
    """What has ended is not taken up again, not even by a login that had the key."""
    left.sign_in()
    if not protected:
        monkeypatch.setattr(logins, "_current", lambda rows, user, session: rows[0])
    tab = tab_of(left)
    signing_in = Hook(monkeypatch, limits, "terms_for")
    with in_threads() as submit:
        answer = submit(tab.post_json, "/api/login/", credentials("alice"))
        signing_in.wait_for_arrival()
        left.sign_out()
        signing_in.open()
    if not protected:
        assert live() == []  # whatever the browser is told
        return
    assert answer.result().status_code == 200
    assert tab.who() == "alice"
    assert left.who() is None
    assert reasons() == ["logged_out", ""]


# A rollback after the end was written


@PROTECTED
def test_inv3_rollback_after_the_end_was_written(protected, engine, left, right, monkeypatch):
    if not protected:
        judge = MarkedFence._judge

        def refuse(session, key, data):
            return gate.REPLACED if session._cache.marked else judge(session, key, data)

        monkeypatch.setattr(MarkedFence, "_judge", refuse)
    left.sign_in()
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert right.post_json("/api/login-and-fail/", credentials("alice")).status_code == 500
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", False)
    harmed = not protected and engine in ("cached_db", "cache")
    assert left.who() == (None if harmed else "alice")
    assert right.who() is None
    assert reasons() == [""]


# Adoption


def forget_registry(browser):
    """Make a session one from before the installation."""
    store = session_engine.store_class()(browser.cookie)
    del store[SESSION_ID_KEY]
    store.save()
    UserSession.objects.all().delete()


@pytest.mark.parametrize("engine_name", KEYED)
@PROTECTED
def test_inv6_parallel_first_requests_make_one_row(
    protected, engine_name, switch_engine, left, gate, monkeypatch
):
    switch_engine(engine_name)
    left.sign_in()
    forget_registry(left)
    tab = tab_of(left)
    if not protected:
        monkeypatch.setattr(db, "locked_user", unlocked_user)
    looked = Hook(monkeypatch, records, "read", after=True)
    coming = Hook(monkeypatch, limits, "terms_for", after=True)
    with in_threads(2) as submit:
        first = submit(left.get, "/private/")
        coming.wait_for_arrival()
        coming.open()
        looked.wait_for_arrival()
        second = submit(tab.get, "/private/")
        if not protected:
            second.result()
        looked.open()
    statuses = {first.result().status_code, second.result().status_code}
    assert statuses == {200} if protected else 500 in statuses
    assert len(live()) == 1
    if protected:
        assert left.who() == tab.who() == "alice"
        assert left.session_id == tab.session_id == str(live()[0].pk)


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_id_that_a_request_beside_the_adoption_lost_is_found_again(
    engine_name, switch_engine, left, right, gate, twin
):
    switch_engine(engine_name)
    left.sign_in()
    forget_registry(left)
    left.twin = twin
    tab = tab_of(left)
    with held(gate, tab, "/slow/"):
        left.get("/private/")
    session_id = str(live()[0].pk)
    assert left.who() == "alice"
    assert left.session_id == session_id
    right.sign_in()
    assert left.who() is None
    assert right.who() == "alice"


@pytest.mark.parametrize("engine_name", ["cached_db", "cache", "file"])
@PROTECTED
def test_inv2_late_save_that_lost_the_id_brings_nothing_back(
    protected, engine_name, switch_engine, left, right
):
    """As above; but the session ends before its next request finds the id again."""
    switch_engine(engine_name)
    left.sign_in()
    late = session_engine.store_class()(left.cookie)
    del late[SESSION_ID_KEY]
    right.sign_in()
    plain = next(base for base in type(late).__mro__ if base.__module__.startswith("django."))
    plain.save(late, must_create=True)
    if not protected:
        UserSession.objects.ended().update(key_digest=None)
    tab = tab_of(left)
    assert tab.who() == (None if protected else "alice")
    assert right.who() == "alice"


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_adopted_session_never_ends_another(engine_name, switch_engine, left, right):
    switch_engine(engine_name)
    left.sign_in()
    forget_registry(left)
    right.sign_in()
    left.get("/whoami/")
    assert left.why_ended() == "superseded"
    assert right.who() == "alice"
    assert len(live()) == 1


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv1_adopted_session_ends_like_any_other(
    engine_name, switch_engine, left, right, twin
):
    switch_engine(engine_name)
    left.sign_in()
    forget_registry(left)
    left.twin = twin
    assert left.who() == "alice"
    right.sign_in()
    assert left.why_ended() == "superseded"


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_adoption_beside_a_rotation(engine_name, switch_engine, left, right, gate):
    """One row, whichever of the two comes first, and no key of which nobody knows."""
    switch_engine(engine_name)
    left.sign_in()
    forget_registry(left)
    tab = tab_of(left)
    other_gate = Gate(gate.directory, "other")
    with (
        held(other_gate, tab, "/slow/?gate=other"),
        held(gate, left, "/ended/rotate-slowly/"),
    ):
        other_gate.open()
    assert left.who() == "alice"
    assert len(live()) == 1
    right.sign_in()
    assert left.who() is None
    assert tab.who() is None


def test_inv2_cookie_from_before_the_installation_is_refused(switch_engine, left):
    """It could be sent again for ever."""
    switch_engine("signed_cookies", fenced=False)
    left.sign_in()
    assert left.who() == "alice"
    switch_engine("signed_cookies")
    stale = Browser()
    stale.cookie = left.cookie
    assert stale.who() is None


@pytest.mark.parametrize("engine_name", ENGINES)
def test_inv6_logout_before_adoption_is_a_logout(engine_name, switch_engine, left):
    switch_engine(engine_name)
    left.sign_in()
    cookie = left.cookie
    if engine_name != "signed_cookies":
        forget_registry(left)
    left.sign_out()
    assert left.who() is None
    left.cookie = cookie
    assert left.who() is None


def test_inv2_overtaken_login_gets_its_answer_and_is_told_next(
    engine, left, right, monkeypatch
):
    """It has committed; before it answers, another one ends it."""
    answering = Hook(
        monkeypatch, events, "send_started", lambda row, request: is_second(request)
    )
    with in_threads() as submit:
        agent = {"User-Agent": "second"}
        answer = submit(left.post_json, "/api/login/", credentials("alice"), headers=agent)
        answering.wait_for_arrival()
        right.sign_in()
        answering.open()
    assert answer.result().status_code == 200
    assert left.why_ended() == "superseded"
    assert right.who() == "alice"
