"""Invariants 1, 2 and 6 where what a view does to its session is rolled back, or comes late."""

import gc
import sys
import time
from weakref import ref

import pytest
from django.contrib.sessions.models import Session
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.test import RequestFactory
from django.urls import clear_url_caches, include, path
from django.views.decorators.csrf import csrf_exempt

from live_single_session.http import follow_ups
from live_single_session.models import SESSION_ID_KEY, UserSession
from live_single_session.registry import engine as session_engine
from tests.helpers.browsers import Browser, live, reasons
from tests.helpers.engines import KEYED
from tests.helpers.threads import held
from tests.site import views
from tests.site.people import credentials

CACHED = ["cached_db", "cache"]
A_YEAR = 365 * 24 * 60 * 60  # seconds


def rotate_in_vain(request):
    assert request.user.is_authenticated
    request.session.cycle_key()
    raise Http404


def rotate_in_a_savepoint(request):
    try:
        with transaction.atomic():
            request.session.cycle_key()
            raise ValueError
    except ValueError:
        return JsonResponse({"user": request.user.get_username()})


def sign_in_and_rotate_in_vain(request):
    answer = views.login(request)
    rotate_in_a_savepoint(request)
    return answer


def look_and_fail(request):
    assert request.user.is_authenticated
    raise Http404


@csrf_exempt
def rotate_and_sign_in(request):
    request.session.cycle_key()
    return views.login(request)


@csrf_exempt
def sign_in_beside_a_broken_hook(request):
    transaction.on_commit(lambda: 1 / 0)
    return views.login(request)


def keep_for_a_year(request):
    request.session.set_expiry(A_YEAR)
    return JsonResponse({})


def flush_and_go_on(request):
    request.session.flush()
    request.session["seen"] = True
    return JsonResponse({})


def save_in_a_broken_transaction(request):
    request.session["step"] = 1
    with transaction.atomic():
        transaction.set_rollback(True)
        request.session.save()
    return JsonResponse({})


def large(request):
    assert request.user.is_authenticated
    return HttpResponse(b"x" * 100_000)


urlpatterns = [
    path("rotate-in-vain/", rotate_in_vain),
    path("rotate-in-a-savepoint/", rotate_in_a_savepoint),
    path("sign-in-and-rotate-in-vain/", csrf_exempt(sign_in_and_rotate_in_vain)),
    path("look-and-fail/", look_and_fail),
    path("rotate-and-sign-in/", rotate_and_sign_in),
    path("sign-in-beside-a-broken-hook/", sign_in_beside_a_broken_hook),
    path("keep-for-a-year/", keep_for_a_year),
    path("flush-and-go-on/", flush_and_go_on),
    path("save-in-a-broken-transaction/", save_in_a_broken_transaction),
    path("", include("tests.backends.urls")),
]


@pytest.fixture(autouse=True)
def _these_urls(settings, _own_urls):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def atomic_requests(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


# A key that was rotated in vain


@pytest.mark.parametrize("path", ["/rotate-in-vain/", "/rotate-in-a-savepoint/"])
@pytest.mark.parametrize("engine_name", KEYED)
def test_inv1_inv6_rotation_that_is_rolled_back(
    path, engine_name, switch_engine, left, right, atomic_requests
):
    switch_engine(engine_name)
    left.sign_in()
    assert left.get(path).status_code in (200, 404)
    assert left.who() == "alice"
    right.sign_in()
    assert (left.who(), right.who()) == (None, "alice")


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv1_secret_key_that_is_rotated_in_a_request_that_fails(
    engine_name, switch_engine, left, right, atomic_requests, settings
):
    """Django gives such a session a new key as soon as somebody asks for its user."""
    switch_engine(engine_name)
    left.sign_in()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "rotated", [settings.SECRET_KEY]
    assert left.get("/look-and-fail/").status_code == 404
    assert left.who() == "alice"
    right.sign_in()
    assert (left.who(), right.who()) == (None, "alice")


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_login_whose_session_then_rotates_in_vain(engine_name, switch_engine, left, right):
    switch_engine(engine_name)
    answer = left.post_json("/sign-in-and-rotate-in-vain/", credentials("alice"))
    assert answer.status_code == 200
    assert left.who() == "alice"
    right.sign_in()
    assert (left.who(), right.who()) == (None, "alice")


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_adoption_beside_a_rotation_that_is_rolled_back_makes_one_row(
    engine_name, switch_engine, left, atomic_requests
):
    switch_engine(engine_name)
    left.sign_in()
    session = left.session
    del session[SESSION_ID_KEY]
    session.save()
    UserSession.objects.all().delete()
    assert left.get("/rotate-in-vain/").status_code == 404
    assert left.who() == "alice"
    assert len(live()) == 1


# A key that was left behind


@pytest.mark.parametrize("marked", [True, False], ids=["protected", "without"])
@pytest.mark.parametrize("engine_name", CACHED)
def test_inv2_key_left_behind_by_a_second_login_is_nobodys(
    marked, engine_name, switch_engine, left, right, monkeypatch
):
    switch_engine(engine_name)
    left.sign_in()
    key, late = left.cookie, late_write(left.cookie)
    with monkeypatch.context() as patch:
        if not marked:
            patch.setattr(session_engine.store_class(), "mark", lambda *args: None)
        answer = left.post_json("/rotate-and-sign-in/", credentials("alice"))
    assert answer.status_code == 200
    assert left.cookie != key
    late()
    right.sign_in()
    old = Browser()
    old.cookie = key
    assert old.who() == (None if marked else "alice")
    assert (left.who(), right.who()) == (None, "alice")


def late_write(key):
    """What a read that began now will bring into the cache when it is over."""
    store = session_engine.store_class()(key)
    cache_key = store.cache_key_prefix + key
    data = store._cache._cache.get(cache_key)
    return lambda: store._cache.set(cache_key, data, A_YEAR)


@pytest.mark.parametrize("engine_name", CACHED)
def test_inv2_mark_lasts_as_long_as_the_session_could_have(
    engine_name, switch_engine, left, right, monkeypatch
):
    switch_engine(engine_name)
    left.sign_in()
    left.get("/keep-for-a-year/")
    key, late = left.cookie, late_write(left.cookie)
    right.sign_in()
    late()
    half_a_year_later = time.time() + A_YEAR / 2
    monkeypatch.setattr(time, "time", lambda: half_a_year_later)
    left.cookie = key
    assert left.who() is None


# What else a view may do to its session


@pytest.mark.parametrize("kept", [True, False], ids=["protected", "without"])
def test_inv6_slow_request_leaves_a_newer_signed_cookie_alone(
    kept, switch_engine, left, right, gate, monkeypatch
):
    switch_engine("signed_cookies")
    if not kept:
        monkeypatch.setattr(follow_ups, "skip_session_cookie", lambda response: None)
    left.sign_in()
    tab = Browser()
    tab.cookie = left.cookie
    with held(gate, tab, "/slow/") as answer:
        right.sign_in()
        left.sign_in()
    assert ("sessionid" in answer.result().cookies) is not kept


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_session_that_is_flushed_and_written_to_was_signed_out(
    engine_name, switch_engine, left
):
    switch_engine(engine_name)
    left.sign_in()
    left.get("/flush-and-go-on/")
    assert reasons() == ["logged_out"]


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv1_login_whose_commit_hooks_fail_leaves_no_session_that_nobody_has(
    engine_name, switch_engine, left, atomic_requests
):
    switch_engine(engine_name)
    answer = left.post_json("/sign-in-beside-a-broken-hook/", credentials("alice"))
    assert answer.status_code == 500
    assert left.who() is None
    assert live() == []


def test_save_in_a_broken_transaction_fails_as_with_django_alone(left):
    left.sign_in()
    assert left.get("/save-in-a-broken-transaction/").status_code >= 400
    assert Session.objects.count() == 1


def test_a_response_is_freed_without_the_garbage_collector(left, monkeypatch):
    left.sign_in()
    answered = []

    def remembering(request):
        response = large(request)
        answered.append(ref(response))
        return response

    monkeypatch.setattr(sys.modules[__name__], "urlpatterns", [path("large/", remembering)])
    clear_url_caches()
    environ = (
        RequestFactory(headers={"cookie": f"sessionid={left.cookie}"}).get("/large/").environ
    )
    application = get_wsgi_application()
    gc.disable()
    try:
        application(environ, lambda status, headers: None).close()
        assert [response() for response in answered] == [None]
    finally:
        gc.enable()
