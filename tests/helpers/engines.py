"""The session engines that the guarantees are made for, and how to switch to one."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.file import SessionStore as DjangoFileStore
from django.core.cache import caches

from live_single_session.backends.file import SessionStore as FencedFileStore

DJANGO = "django.contrib.sessions.backends."
FENCED = "live_single_session.backends."

PATHS = {
    "db": FENCED + "db",
    "cached_db": FENCED + "cached_db",
    "cache": FENCED + "cache",
    "file": FENCED + "file",
    "signed_cookies": FENCED + "signed_cookies",
}

ENGINES = list(PATHS)
KEYED = [name for name in ENGINES if name != "signed_cookies"]

# In the one process of a test, and in a real server.
CACHED = [f"{name}-{cache}" for name in ("cached_db", "cache") for cache in ("locmem", "redis")]
ENGINES_AND_CACHES = ["db", *CACHED, "file", "signed_cookies"]


def use_engine(name, settings, monkeypatch, folder, redis_url=None, *, fenced=True):
    """Switch this process to an engine whose storage is empty.

    Args:
        name: one of `ENGINES`.
        fenced: False for Django's own engine, which the package replaces.
    """
    settings.SESSION_ENGINE = PATHS[name] if fenced else DJANGO + name
    if redis_url is None:
        cache = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    else:
        cache = {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
        }
    settings.CACHES = {"default": cache}
    caches["default"].clear()
    folder.mkdir(exist_ok=True)
    settings.SESSION_FILE_PATH = str(folder)
    # The engine looks at its setting once.
    for store in (DjangoFileStore, FencedFileStore):
        monkeypatch.setattr(store, "_storage_path", str(folder), raising=False)


def engine_holds(key):
    """Whether Django's own engine would still sign somebody in with this key."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    plain = next(base for base in store.__mro__ if base.__module__.startswith("django."))
    return SESSION_KEY in plain(key).load()
