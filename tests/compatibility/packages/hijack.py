# ruff: noqa: F403, F405
"""django-hijack, with the exemption that docs/recipes.md tells a site to write."""

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "hijack"]
MIDDLEWARE = [
    *MIDDLEWARE,
    "hijack.middleware.HijackUserMiddleware",
    "tests.site.impersonation.ExemptImpersonation",
]
ROOT_URLCONF = "tests.site.impersonation"
