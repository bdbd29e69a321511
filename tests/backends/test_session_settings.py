"""Django's own session settings, on each engine."""

import pickle

import pytest
from django.core.cache import caches

from tests.helpers.browsers import Browser, live
from tests.helpers.engines import KEYED
from tests.helpers.threads import held


class PickleSerializer:
    """Django's own, which it no longer brings."""

    def dumps(self, value):
        return pickle.dumps(value)

    def loads(self, data):
        return pickle.loads(data)


SETTINGS = {
    "save-every-request": {"SESSION_SAVE_EVERY_REQUEST": True},
    "browser-close": {"SESSION_EXPIRE_AT_BROWSER_CLOSE": True},
    "cookie-name": {"SESSION_COOKIE_NAME": "biscuit"},
    "serializer": {
        "SESSION_SERIALIZER": "tests.backends.test_session_settings.PickleSerializer"
    },
    "cache-alias": {"SESSION_CACHE_ALIAS": "sessions"},
}


@pytest.fixture(params=SETTINGS)
def changed(request, engine, settings):
    settings.CACHES = {
        name: {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": name,
        }
        for name in ("default", "sessions")
    }
    for cache in caches.all():
        cache.clear()
    for name, value in SETTINGS[request.param].items():
        setattr(settings, name, value)


def test_inv2_inv6_hold_with(changed, engine, twin, gate):
    left, tab, right = Browser(twin), Browser(twin), Browser(twin)
    left.sign_in()
    left.sign_in()
    left.get("/rotate/")
    left.post_json("/password/", {"password": "correct horse battery staple"})
    assert left.who() == "alice"
    assert len(live()) == 1
    tab.cookie = cookie = left.cookie
    with held(gate, tab, "/slow/") as answer:
        right.sign_in()
    assert answer.result().json() == {"user": "alice"}
    assert left.why_ended() == "superseded"
    left.cookie = cookie
    assert left.who() is None
    assert right.who() == "alice"
    right.sign_out()
    assert right.who() is None
    assert not live()


@pytest.mark.parametrize("engine_name", KEYED)
def test_inv6_request_beside_a_rotation_with_save_every_request(
    engine_name, switch_engine, settings, left, gate
):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    switch_engine(engine_name)
    left.sign_in()
    tab = Browser()
    tab.cookie = left.cookie
    with held(gate, tab, "/slow/") as answer:
        left.get("/rotate/")
    assert answer.result().status_code == 200
    assert "sessionid" not in answer.result().cookies
    assert left.who() == "alice"
