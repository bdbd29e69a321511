# ruff: noqa: F403, F405
"""Wagtail's editors, who sign in at its own login page."""

from tests.settings import *

_WAGTAIL = ["users", "snippets", "images", "documents", "search", "admin"]

INSTALLED_APPS = [
    *INSTALLED_APPS,
    *[f"wagtail.{name}" for name in _WAGTAIL],
    "wagtail",
    "modelcluster",
    "taggit",
]
# Its tables without their history: hundreds of migrations would be the slowest test of all.
MIGRATION_MODULES = dict.fromkeys(
    [*(f"wagtail{name}" for name in _WAGTAIL), "wagtaildocs", "wagtailcore", "taggit"]
)

WAGTAIL_SITE_NAME = "Test"
WAGTAILADMIN_BASE_URL = "http://localhost"
ROOT_URLCONF = "tests.compatibility.packages.wagtail_urls"
