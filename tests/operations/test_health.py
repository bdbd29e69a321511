"""A health check that says which of registry, engine and channel layer doesn't answer."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import path

from live_single_session import health
from live_single_session.models import UserSession
from tests.servers.process import free_port

urlpatterns = [path("health/", health.view)]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

CACHE = "django.core.cache.backends.redis.RedisCache"
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
SECRET = "s3cret-of-redis"


@pytest.fixture
def nowhere():
    return f"redis://:{SECRET}@127.0.0.1:{free_port()}/0"


def run():
    out = io.StringIO()
    try:
        call_command("check_live_session", stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def look(client):
    answer = client.get("/health/")
    assert SECRET not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, json.loads(answer.content)


def test_all_answer(client):
    code, said = run()
    assert (code, said) == (0, "registry: ok\nengine: ok\nchannel_layer: ok\n")
    assert look(client) == (
        200,
        {"status": "ok", "registry": "ok", "engine": "ok", "channel_layer": "ok"},
    )


@pytest.mark.parametrize("layer", [PUBSUB, "channels_redis.core.RedisChannelLayer"])
def test_without_the_layer_users_are_served_and_tabs_told_late(
    client, settings, nowhere, layer
):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": layer, "CONFIG": {"hosts": [nowhere]}}}
    code, said = run()
    assert code == 3
    assert "channel_layer: it does not answer" in said
    assert SECRET not in said
    status, body = look(client)
    assert (status, body["status"], body["registry"]) == (200, "degraded", "ok")


@pytest.mark.parametrize("layer", [PUBSUB, "channels_redis.core.RedisChannelLayer"])
def test_a_real_layer_answers(client, settings, redis, layer):
    config = {"hosts": [redis.url]}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": layer, "CONFIG": config}}
    assert look(client)[1]["channel_layer"] == "ok"
    assert run()[0] == 0


def test_a_site_without_a_layer_is_well(client, settings):
    settings.CHANNEL_LAYERS = {}
    assert run()[0] == 0
    assert look(client)[1]["status"] == "ok"


def test_the_engines_cache_is_gone(client, settings, nowhere):
    settings.SESSION_ENGINE = "live_single_session.backends.cache"
    settings.CACHES = {"default": {"BACKEND": CACHE, "LOCATION": nowhere}}
    code, said = run()
    assert code == 1
    assert "engine: it does not answer (ConnectionError)" in said
    assert SECRET not in said
    status, body = look(client)
    assert (status, body["status"], body["registry"]) == (503, "down", "ok")


def test_the_table_is_not_there(client):
    with connection.schema_editor() as editor:
        editor.delete_model(UserSession)
    try:
        code, said = run()
        assert code == 1
        assert "registry: its table is missing: run manage.py migrate" in said
        assert look(client)[0] == 503
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(UserSession)


def test_the_database_is_gone(client, monkeypatch):
    def gone(*args, **kwargs):
        raise OSError(f"no route to {SECRET}")

    monkeypatch.setattr(UserSession.objects.__class__, "using", gone)
    code, said = run()
    assert code == 1
    assert "registry: it does not answer" in said
    assert SECRET not in said
