# ruff: noqa: F403, F405
"""Settings and URLs of a site that keeps its token views, as docs/tokens.md tells it.

HINDERED    yes: what the page says is left out
"""

import os
import re
from pathlib import Path

from tests.contrib.simplejwt.settings import *

PAGE = (Path(__file__).parents[3] / "docs" / "tokens.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def block_with(text: str) -> str:
    (found,) = [block for block in BLOCKS if text in block]
    return found


INSTALLED_APPS = [*INSTALLED_APPS, "djoser", "dj_rest_auth"]
ROOT_URLCONF = "tests.contrib.simplejwt.own_urls_urls"
REST_AUTH = {"USE_JWT": True, "SESSION_LOGIN": False, "JWT_AUTH_HTTPONLY": False}
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework_simplejwt.authentication.JWTAuthentication"
    ],
}

if "HINDERED" not in os.environ:
    given = SIMPLE_JWT
    exec(block_with('"TOKEN_OBTAIN_SERIALIZER":'))
    SIMPLE_JWT |= given
    exec(block_with('"JWT_TOKEN_CLAIMS_SERIALIZER":'))
    REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] = [
        "tests.contrib.simplejwt.own_authentication.CookieAuthentication"
    ]
REST_AUTH["TOKEN_MODEL"] = None
REST_AUTH["JWT_AUTH_COOKIE"] = "access"
REST_AUTH["JWT_AUTH_REFRESH_COOKIE"] = "refresh"
