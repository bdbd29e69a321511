"""Settings of the test site: for tests in this process and, by the environment, for daphne.

DATABASE_URL               sqlite:///, postgres:// or mysql://, with options as its query
ATOMIC_REQUESTS            true or false
SESSION_ENGINE             dotted path
SESSION_FILE_PATH          folder, for the file engine
CHANNEL_LAYER              inmemory, redis or pubsub
CHANNEL_LAYER_CONFIG       JSON, added to the layer's CONFIG
REDIS_URL                  for the layer, and for the cache where sessions are cached
CACHE_URL                  redis://, in place of REDIS_URL
LIVE_SINGLE_SESSION        JSON
LIVE_SINGLE_SESSION_TOO    JSON: what is set beside it, to run tests with another option on
GATE_DIRECTORY             folder, see tests.site.gate
"""

import json
import os
import tempfile
from pathlib import Path

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "not-a-secret-in-tests-but-long-enough-for-every-kind-of-signature"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "live_single_session",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "live_single_session.middleware.SingleSessionMiddleware",
]

ROOT_URLCONF = "tests.urls"
ASGI_APPLICATION = "tests.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "site" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "/static/"

LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/private/"
LOGOUT_REDIRECT_URL = LOGIN_URL

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A file, not memory: the tables of a shared memory database lock each other out when more
# than one thread uses them, without waiting.
_own_file = Path(tempfile.gettempdir()) / f"live-single-session-{os.getpid()}.sqlite3"

DATABASES = {
    "default": {
        **dj_database_url.config(default=f"sqlite:///{_own_file}"),
        "ATOMIC_REQUESTS": json.loads(os.environ.get("ATOMIC_REQUESTS", "false")),
    },
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(_own_file)}

SESSION_ENGINE = os.environ.get("SESSION_ENGINE", "live_single_session.backends.db")
SESSION_FILE_PATH = os.environ.get("SESSION_FILE_PATH")

_redis_url = os.environ.get("REDIS_URL")
_cache_url = os.environ.get("CACHE_URL", _redis_url if "cache" in SESSION_ENGINE else None)

CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _cache_url}
        if _cache_url
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    ),
}

_layer = os.environ.get("CHANNEL_LAYER", "inmemory")

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": {
            "inmemory": "channels.layers.InMemoryChannelLayer",
            "redis": "channels_redis.core.RedisChannelLayer",
            "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
        }[_layer],
        "CONFIG": {
            **({} if _layer == "inmemory" else {"hosts": [_redis_url]}),
            **json.loads(os.environ.get("CHANNEL_LAYER_CONFIG", "{}")),
        },
    },
}

LIVE_SINGLE_SESSION = {
    **json.loads(os.environ.get("LIVE_SINGLE_SESSION_TOO", "{}")),
    **json.loads(os.environ.get("LIVE_SINGLE_SESSION", "{}")),
}

GATE_DIRECTORY = os.environ.get("GATE_DIRECTORY")
