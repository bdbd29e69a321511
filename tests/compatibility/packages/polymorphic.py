# ruff: noqa: F403, F405
"""django-polymorphic: the user is of a model that has children."""

from tests.settings import *

INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if app != "live_single_session"),
    "polymorphic",
    "tests.compatibility.packages.people",
    "live_single_session",
]
AUTH_USER_MODEL = "people.Person"
MIGRATION_MODULES = {"people": None}
