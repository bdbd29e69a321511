# ruff: noqa: F403, F405
"""The test site without this package, or with it, as README's installation says.

OLD      the app that the site comes from, if any
STAGE    old: as it was; new: as the pages tell it

SESSION_ENGINE    another than Django's db, and than README's
"""

import os

from tests.operations.pages import blocks
from tests.servers.process import ROOT
from tests.settings import *

OURS = "live_single_session"
STAGE, OLD = os.environ["STAGE"], os.environ.get("OLD", "")
ROOT_URLCONF = "tests.operations.moving.urls"

_layers = CHANNEL_LAYERS
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in ("daphne", "channels", OURS)]
MIDDLEWARE = [path for path in MIDDLEWARE if not path.startswith(OURS)]
TEMPLATES[0]["DIRS"] = []

_engine = os.environ.get("SESSION_ENGINE")
SESSION_ENGINE = _engine or "django.contrib.sessions.backends.db"

if STAGE == "old":
    INSTALLED_APPS += [OLD] if OLD else []
    if OLD == "preventconcurrentlogins":
        MIDDLEWARE.append(f"{OLD}.middleware.PreventConcurrentLoginsMiddleware")
    if OLD == "session_security":
        MIDDLEWARE.append(f"{OLD}.middleware.SessionSecurityMiddleware")
        SESSION_SECURITY_INSECURE = True
    if OLD == "django_session_timeout":
        MIDDLEWARE.append(f"{OLD}.middleware.SessionTimeoutMiddleware")
        SESSION_EXPIRE_SECONDS, SESSION_EXPIRE_AFTER_LAST_ACTIVITY = 3600, True
else:
    install = (ROOT / "README.md").read_text().partition("\n## Install\n")[2]
    (block,) = [b for b in blocks(install, "python") if "MIDDLEWARE = [" in b]
    for name in ("INSTALLED_APPS", "MIDDLEWARE"):
        before, assignment, rest = block.partition(f"{name} = [")
        block = before + assignment + rest.replace("    # ...", f"    *{name},", 1)
    exec(block)
    MIDDLEWARE = list(dict.fromkeys(MIDDLEWARE))  # the block shows where its own goes
    CHANNEL_LAYERS = _layers
    SESSION_ENGINE = _engine or SESSION_ENGINE
