# ruff: noqa: F403
"""ALLOWED_HOSTS is empty, as django-admin startproject leaves it."""

from tests.settings import *

ALLOWED_HOSTS = []
ASGI_APPLICATION = "tests.operations.tested_site.asgi.application"
