import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _APPS
from tests.settings import MIDDLEWARE as _MIDDLEWARE

VARIANT = os.environ.get("BENCH_VARIANT", "ours")
WITH_OURS = VARIANT in ("ours", "guarded")

ROOT_URLCONF = "benchmarks.site.urls"
ASGI_APPLICATION = "benchmarks.site.asgi.application"

INSTALLED_APPS = [app for app in _APPS if WITH_OURS or app != "live_single_session"]
MIDDLEWARE = [name for name in _MIDDLEWARE if WITH_OURS or "live_single_session" not in name]

if VARIANT == "preventconcurrent":
    INSTALLED_APPS += ["preventconcurrentlogins"]
    MIDDLEWARE += ["preventconcurrentlogins.middleware.PreventConcurrentLoginsMiddleware"]
if VARIANT == "single_session":
    INSTALLED_APPS += ["single_session"]
if VARIANT == "usersessions":
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.usersessions"]
    MIDDLEWARE += [
        "allauth.account.middleware.AccountMiddleware",
        "allauth.usersessions.middleware.UserSessionsMiddleware",
    ]
    USERSESSIONS_TRACK_ACTIVITY = True

if os.environ.get("BENCH_HASHERS") == "django":
    from django.conf.global_settings import PASSWORD_HASHERS  # noqa: F401

# What is logged is the same for all, and as little as possible.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {name: {"level": "ERROR"} for name in ("live_single_session", "django.request")},
}
