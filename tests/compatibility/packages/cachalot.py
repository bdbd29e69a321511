# ruff: noqa: F403, F405
"""django-cachalot, which answers queries from a cache; sessions are short."""

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "cachalot"]
SESSION_COOKIE_AGE = 3
