# ruff: noqa: F403, F405
"""The test site with metrics, at /metrics/."""

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "live_single_session.contrib.prometheus"]
ROOT_URLCONF = "tests.operations.metrics_urls"
