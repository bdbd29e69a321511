"""The demo's settings. It needs no server: SQLite, and a channel layer in memory.

Set DATABASE_URL and REDIS_URL to run the same site on PostgreSQL and Redis.
"""

import os
import secrets
from pathlib import Path

HERE = Path(__file__).parent

# A demo, to be tried on one's own machine: it prints its passwords on the login page.
DEBUG = True
DEMO_HOST = "demo.localhost"
ALLOWED_HOSTS = ["127.0.0.1", "[::1]", "localhost", f".{DEMO_HOST}"]

# A key of this checkout's own, so that nobody can forge its cookies.
_key = Path(os.environ.get("SECRET_KEY_FILE", HERE / "secret_key"))
if not _key.exists():
    _key.touch(mode=0o600)
    _key.write_text(secrets.token_urlsafe(50))
SECRET_KEY = _key.read_text()

INSTALLED_APPS = [
    "daphne",
    "demo",  # first: its base.html is the frame of the other apps' pages
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "live_single_session",
]

MIDDLEWARE = [
    "demo.middleware.ContentSecurityPolicyMiddleware",
    "demo.middleware.TwoBrowsersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "live_single_session.middleware.SingleSessionMiddleware",
]

SESSION_ENGINE = "live_single_session.backends.db"

# LIVE_SINGLE_SESSION is left out: one session per user, the newest wins.

ROOT_URLCONF = "demo.urls"
ASGI_APPLICATION = "demo.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "db.sqlite3"},
}
if os.environ.get("DATABASE_URL"):
    import dj_database_url

    DATABASES["default"] = dj_database_url.config()

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if os.environ.get("REDIS_URL"):
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
    }

# No mail is sent: the demo shows it.
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
STATIC_URL = "static/"
TIME_ZONE = "UTC"

# Daphne has a handler at the root; another would say everything twice.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "django": {"level": "WARNING"},
        "live_single_session": {"level": "INFO"},
    },
}
