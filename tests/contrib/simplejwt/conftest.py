"""An API in this process, and one behind daphne, with the tables that its apps need."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contrib.simplejwt.apps import App
from tests.contrib.simplejwt.site import SETTINGS, run
from tests.servers.daphne import Daphne


@pytest.fixture(autouse=True)
def _api(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.contrib.simplejwt.urls"


@pytest.fixture
def new_app() -> Callable[..., App]:
    """`new_app()`: somebody's app, which holds no tokens yet."""
    return lambda: App(APIClient())


@pytest.fixture
def start_api(start_daphne: Callable[..., Daphne]) -> Callable[..., Daphne]:
    """`start_api(DATABASE_URL=...)`: the site with the API, which gets the tables it needs."""

    def start(**env: Any) -> Daphne:
        env = {"DJANGO_SETTINGS_MODULE": SETTINGS, **env}
        run("django", "migrate", "--verbosity=0", env=env)
        return start_daphne("tests.contrib.simplejwt.asgi:application", **env)

    return start
