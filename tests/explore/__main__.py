"""Explore every interleaving: `python -m tests.explore [--engine db] [--first rotate] ...`.

It starts a PostgreSQL, and one process for each engine. All of them take hours; what
narrows them down is told by `--help`.
"""

import argparse
import os
import subprocess
import sys
from contextlib import ExitStack

from tests.servers.databases import SiteDatabases
from tests.servers.postgres import PostgresServer
from tests.servers.process import ROOT

ENGINES = ["db", "cached_db", "cache"]


def start(url: str, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    """Start a process that explores, on a database of its own."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url}
    command = [sys.executable, "-m", "tests.explore.explorer", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, text=True, **options
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    chosen, others = parser.parse_known_args()
    if {"-h", "--help"} & set(others):
        raise SystemExit(
            subprocess.call([sys.executable, "-m", "tests.explore.explorer", "-h"])
        )
    with ExitStack() as stack:
        server = PostgresServer()
        stack.callback(server.close)
        server.start()
        databases = SiteDatabases(server)
        urls = {name: databases.url(databases.create()) for name in chosen.engine or ENGINES}
        explorers = [start(url, "--engine", name, *others) for name, url in urls.items()]
        codes = [explorer.wait() for explorer in explorers]
    raise SystemExit(any(codes))


if __name__ == "__main__":
    main()
