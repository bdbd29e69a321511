"""The test site in another shape: VARIANT and SESSION_ENGINE in the environment name it."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

VARIANT = os.environ["VARIANT"]
ROOT_URLCONF = "tests.backends.urls"

if VARIANT.endswith("_users"):
    INSTALLED_APPS = [*INSTALLED_APPS, f"tests.backends.variants.{VARIANT}"]
    AUTH_USER_MODEL = f"{VARIANT}.User"


def _database(name):
    file = f"{DATABASES['default']['NAME']}.{name}"
    return {**DATABASES["default"], "NAME": file, "TEST": {"NAME": file}}


DATABASES["archive"] = _database("archive")
if VARIANT == "databases":
    DATABASE_ROUTERS = ["tests.backends.variants.router.Router"]
    DATABASES |= {name: _database(name) for name in ("accounts", "sessions")}
DATABASES["again"] = {**DATABASES["accounts" if VARIANT == "databases" else "default"]}

if VARIANT == "local_times":
    USE_TZ, TIME_ZONE = False, "America/Chicago"

if VARIANT == "local_times_database":
    DATABASES["default"]["TIME_ZONE"] = "Asia/Kolkata"

if VARIANT == "user_sessions":
    INSTALLED_APPS = [*INSTALLED_APPS, "user_sessions"]
    SESSION_ENGINE = "tests.backends.variants.fenced_user_sessions"
