"""An API in this process, and one behind daphne, with the tables that its apps need."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contrib.simplejwt.apps import App
from tests.servers.daphne import Daphne
from tests.servers.process import ROOT

SETTINGS = "tests.contrib.simplejwt.settings"


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


def run(module: str, *arguments: str, env: dict[str, Any]) -> None:
    """Run a module with the settings and on the database of a site."""
    names = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")
    own = {name: env[name] for name in names}
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, check=True)
