# ruff: noqa: F403, F405
"""The test site on plain WSGI: no daphne, no Channels in it, no channel layer."""

from tests.settings import *

INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in ("daphne", "channels")]
CHANNEL_LAYERS = {}
LIVE_SINGLE_SESSION = {"WEBSOCKET_PATH": None, "RECHECK_SECONDS": 0.5}
