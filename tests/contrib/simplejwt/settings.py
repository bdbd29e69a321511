"""Settings of a site with an API, for daphne; on top of those of the test site.

LIVE_SINGLE_SESSION_JWT    JSON
SIMPLE_JWT                 JSON, lifetimes in seconds
"""

import json
import os
from datetime import timedelta

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [
    *SITE_APPS,
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "live_single_session.contrib.simplejwt",
]

ROOT_URLCONF = "tests.contrib.simplejwt.urls"

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "A site with an API", "VERSION": "1"}

SIMPLE_JWT = {
    name: timedelta(seconds=value) if name.endswith("_LIFETIME") else value
    for name, value in json.loads(os.environ.get("SIMPLE_JWT", "{}")).items()
}

LIVE_SINGLE_SESSION_JWT = json.loads(os.environ.get("LIVE_SINGLE_SESSION_JWT", "{}"))
