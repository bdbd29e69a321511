# ruff: noqa: F403, F405
"""django-axes, which locks out who guesses passwords, and whitenoise for static files."""

import os

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "axes"]
MIDDLEWARE = [
    MIDDLEWARE[0],
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *MIDDLEWARE[1:],
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 2
AXES_LOCKOUT_PARAMETERS = ["username"]

STATIC_ROOT = os.environ.get("STATIC_ROOT")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
