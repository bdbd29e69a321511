"""A real PostgreSQL, without the safety that a test doesn't need."""

import os
import signal

import psycopg
from psycopg import sql

from tests.servers.packages import find
from tests.servers.process import ServerProcess
from tests.servers.waiting import wait_until


class PostgresServer(ServerProcess):
    name = "postgres"
    ready_text = "database system is ready to accept connections"
    stop_signal = signal.SIGINT  # without waiting for its clients to leave
    death_signal = "QUIT"  # so that its own children go with it

    def __init__(self) -> None:
        # It refuses to run as root; Debian's package brings a user.
        super().__init__(user="postgres" if os.geteuid() == 0 else None)
        self._data = self.directory / "data"

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory,
            "max_connections": 200,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
        }
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return [find("postgres"), "-D", str(self._data), *flags]

    def start(self) -> None:
        self._make_data()
        super().start()

    def _make_data(self) -> None:
        login = ["--username=postgres", "--auth=trust"]
        text = ["--encoding=UTF8", "--locale=C"]
        self._run("initdb", f"--pgdata={self._data}", *login, *text, "--no-sync")

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> None:
        self._execute("CREATE DATABASE {}", database)

    def copy_database(self, source: str, database: str) -> None:
        self._execute("CREATE DATABASE {} TEMPLATE {}", database, source)

    def drop_database(self, database: str) -> None:
        self._execute("DROP DATABASE {} WITH (FORCE)", database)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class PostgresReplica(PostgresServer):
    """A replica of another PostgreSQL, which can be told to fall behind."""

    name = "postgres-replica"
    ready_text = "database system is ready to accept read-only connections"

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary

    def _make_data(self) -> None:
        source = ["--host=127.0.0.1", f"--port={self._primary.port}", "--username=postgres"]
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", f"--pgdata={self._data}", *source, *how)

    def fall_behind(self) -> None:
        """Show nothing from now on of what is committed at the primary."""
        self._execute("SELECT pg_wal_replay_pause()")

    def catch_up(self) -> None:
        """Go on, and wait until all is here that the primary has."""
        self._execute("SELECT pg_wal_replay_resume()")
        with psycopg.connect(self._primary.url("postgres")) as primary:
            (end,) = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: connection.execute(there, [end]).fetchone() == (True,), "it")
