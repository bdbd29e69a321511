"""Fixtures: people and two browsers, on each session engine that a test asks for."""

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import caches

from tests.helpers.browsers import Browser
from tests.helpers.engines import ENGINES, ENGINES_AND_CACHES, use_engine
from tests.site.people import sign_up


@pytest.fixture
def people(transactional_db):
    """The users of the test site."""
    sign_up()


@pytest.fixture
def alice(people):
    return get_user_model().objects.get(username="alice")


@pytest.fixture
def bob(people):
    return get_user_model().objects.get(username="bob")


@pytest.fixture
def switch_engine(settings, monkeypatch, tmp_path):
    """`switch_engine(name, fenced=False)`: as `use_engine`, for this test."""

    def switch(name, redis_url=None, *, fenced=True):
        use_engine(name, settings, monkeypatch, tmp_path / "sessions", redis_url, fenced=fenced)

    yield switch
    caches.close_all()


@pytest.fixture(params=ENGINES)
def engine(request, switch_engine, people):
    """Each engine, on a cache in memory."""
    switch_engine(request.param)
    return request.param


@pytest.fixture(params=ENGINES_AND_CACHES)
def engine_and_cache(request, switch_engine, people):
    """Each engine, and each cached one on a real Redis as well."""
    name, _, cache = request.param.partition("-")
    redis_url = request.getfixturevalue("redis").url if cache == "redis" else None
    switch_engine(name, redis_url)
    return name


@pytest.fixture(params=["", "/async"], ids=["sync", "async"])
def twin(request):
    return request.param


@pytest.fixture
def left(people):
    return Browser(raise_request_exception=False)


@pytest.fixture
def right(people):
    return Browser(raise_request_exception=False)


@pytest.fixture(autouse=True)
def _own_urls(settings):
    settings.ROOT_URLCONF = "tests.backends.urls"
