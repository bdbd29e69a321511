# ruff: noqa: F403, F405
"""django-allauth for apps: its headless API, and its page of a user's sessions."""

from tests.compatibility.packages.allauth import *

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django.contrib.humanize",
    "allauth.headless",
    "allauth.usersessions",
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.usersessions.middleware.UserSessionsMiddleware"]
HEADLESS_CLIENTS = ("app", "browser")
ROOT_URLCONF = "tests.compatibility.packages.allauth_apps_urls"
