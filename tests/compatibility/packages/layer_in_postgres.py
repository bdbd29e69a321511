# ruff: noqa: F403, F405
"""channels_postgres: the channel layer is in the site's own PostgreSQL."""

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "channels_postgres"]
DATABASES["channels_postgres"] = {**DATABASES["default"], "ATOMIC_REQUESTS": False}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_postgres.core.PostgresChannelLayer",
        "CONFIG": DATABASES["channels_postgres"],
    },
}
