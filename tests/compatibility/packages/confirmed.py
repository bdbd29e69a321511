# ruff: noqa: F403, F405
"""Confirmation by allauth and by django-otp; `CONFIRM` in the environment says by which.

Its second factors end the other sessions, as the recipe says.
"""

import os

from tests.compatibility.packages.allauth import *
from tests.docs.pages import block_with

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_otp",
    "django_otp.plugins.otp_static",
    "tests.compatibility.packages.factors",
]
MIDDLEWARE = [*MIDDLEWARE, "django_otp.middleware.OTPMiddleware"]

TEMPLATES[0]["OPTIONS"]["loaders"] = [
    (
        "django.template.loaders.locmem.Loader",
        {"confirm_code.html": block_with('name="code"', "recipes.md")},
    ),
    ("django.template.loaders.filesystem.Loader", TEMPLATES[0]["DIRS"]),
    "django.template.loaders.app_directories.Loader",
]
TEMPLATES[0]["APP_DIRS"] = False

LIVE_SINGLE_SESSION = {
    "LIMIT": 2,
    "ON_LIMIT": "ask",
    "CONFIRM": f"tests.compatibility.packages.confirmations.{os.environ['CONFIRM']}",
}
