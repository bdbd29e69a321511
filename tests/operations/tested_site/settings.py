# ruff: noqa: F403
"""ALLOWED_HOSTS is empty, as django-admin startproject leaves it."""

import multiprocessing
import sys

import django

from tests.settings import *

if django.VERSION < (6,) and sys.version_info >= (3, 14):  # as docs/testing.md says
    multiprocessing.set_start_method("fork", force=True)

ALLOWED_HOSTS = []
ASGI_APPLICATION = "tests.operations.tested_site.asgi.application"
