"""The demo's settings for two nodes behind nginx, as docker-compose.yml runs them.

DATABASE_URL, REDIS_URL   where PostgreSQL and Redis are
SECRET_KEY_FILE           a file that all nodes share; it is made if it isn't there
STATIC_ROOT               where collectstatic puts the files that nginx serves
"""

import os

from demo.settings import *  # noqa: F403

DEBUG = False

ROOT_URLCONF = "deploy.urls"
STATIC_ROOT = os.environ.get("STATIC_ROOT")

# Connections are kept, and looked at before they are used again: PostgreSQL may have been
# restarted.
DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)  # noqa: F405

# nginx replaces these headers, whatever the client has sent.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_X_FORWARDED_PORT = True

# The proxy's address is not recorded for everybody: daphne --proxy-headers puts the client's
# into REMOTE_ADDR.
SILENCED_SYSTEM_CHECKS = ["live_single_session.W021"]
