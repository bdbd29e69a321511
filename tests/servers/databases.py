"""A database of the test site for each test: migrated once, then copied."""

import os
import subprocess
import sys
from itertools import count
from typing import Protocol

from tests.servers.process import ROOT


class DatabaseServer(Protocol):
    def url(self, database: str) -> str: ...
    def create_database(self, database: str) -> None: ...
    def copy_database(self, source: str, database: str) -> None: ...
    def drop_database(self, database: str) -> None: ...


class SiteDatabases:
    """The copies, on one server, of one database with the site's tables and users."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self._numbers = count(1)
        self._is_prepared = False

    def create(self) -> str:
        """The name of a new copy."""
        if not self._is_prepared:
            self._prepare()
        name = f"site_{next(self._numbers)}"
        self._server.copy_database("site_template", name)
        return name

    def url(self, name: str) -> str:
        return self._server.url(name)

    def drop(self, name: str) -> None:
        self._server.drop_database(name)

    def _prepare(self) -> None:
        self._server.create_database("site_template")
        subprocess.run(
            [sys.executable, "-m", "tests.site.people"],
            cwd=ROOT,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "DATABASE_URL": self._server.url("site_template"),
            },
            check=True,
        )
        self._is_prepared = True
