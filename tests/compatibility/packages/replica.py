# ruff: noqa: F403, F405
"""A replica of the database, from which all models are read, as a router of the site says."""

import os

import dj_database_url

from tests.settings import *

DATABASES["replica"] = dj_database_url.parse(os.environ.get("REPLICA_URL", "sqlite://"))
DATABASE_ROUTERS = ["tests.compatibility.packages.replica.Router"]


class Router:
    """Reads from the replica, writes to the primary, and has no opinion on relations."""

    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"
