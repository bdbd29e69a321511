"""A real MariaDB, without the safety that a test doesn't need."""

import os
import subprocess
from contextlib import closing

import MySQLdb

from tests.servers.packages import find
from tests.servers.process import ServerProcess


class MariaDBServer(ServerProcess):
    name = "mariadb"
    ready_text = "ready for connections"

    def __init__(self) -> None:
        super().__init__()
        self._data = self.directory / "data"
        # It runs as root only where it is told so.
        self._common = ["--no-defaults", f"--datadir={self._data}"]
        if os.geteuid() == 0:
            self._common.append("--user=root")

    def command(self) -> list[str]:
        return [
            find("mariadbd"),
            *self._common,
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            "--character-set-server=utf8mb4",
            "--max-connections=200",
            "--skip-name-resolve",
            "--default-time-zone=-07:00",  # Django never says which one it means
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
        ]

    def start(self) -> None:
        self._run(
            "mariadb-install-db",
            *self._common,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )
        super().start()

    def url(self, database: str) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> None:
        self._execute(f"CREATE DATABASE `{database}`")

    def copy_database(self, source: str, database: str) -> None:
        self.create_database(database)
        login = [f"--socket={self.directory / 'socket'}", "--user=root"]
        dump = subprocess.run(
            [find("mariadb-dump"), "--no-defaults", *login, source],
            check=True,
            stdout=subprocess.PIPE,
        )
        subprocess.run(
            [find("mariadb"), "--no-defaults", *login, database], check=True, input=dump.stdout
        )

    def drop_database(self, database: str) -> None:
        self._execute(f"DROP DATABASE `{database}`")

    def _execute(self, statement: str) -> None:
        connection = MySQLdb.connect(host="127.0.0.1", port=self.port, user="root")
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
