"""The test site in another shape: VARIANT and SESSION_ENGINE in the environment name it."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

VARIANT = os.environ["VARIANT"]
ROOT_URLCONF = "tests.ended.urls"

if VARIANT in ("uuid_users", "string_users"):
    INSTALLED_APPS = [*INSTALLED_APPS, f"tests.ended.variants.{VARIANT}"]
    AUTH_USER_MODEL = f"{VARIANT}.User"

if VARIANT == "databases":
    DATABASE_ROUTERS = ["tests.ended.variants.router.Router"]
    _file = DATABASES["default"]["NAME"]
    for _name in ("accounts", "sessions"):
        _own = f"{_file}.{_name}"
        DATABASES[_name] = {**DATABASES["default"], "NAME": _own, "TEST": {"NAME": _own}}

if VARIANT in ("user_sessions", "user_sessions_unfenced"):
    INSTALLED_APPS = [*INSTALLED_APPS, "user_sessions"]
    SESSION_ENGINE = (
        "tests.ended.variants.fenced_user_sessions"
        if VARIANT == "user_sessions"
        else "user_sessions.backends.db"
    )
