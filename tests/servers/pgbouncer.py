"""A real PgBouncer in front of a PostgreSQL, which gives connections for one transaction."""

import os

from tests.servers.packages import find
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerProcess

CONNECTIONS = 4  # to PostgreSQL: fewer than the sign-ins that a test lets run at once


class PgBouncer(ServerProcess):
    name = "pgbouncer"
    ready_text = "process up"

    def __init__(self, postgres: PostgresServer) -> None:
        # It refuses to run as root, as PostgreSQL does.
        super().__init__(user="postgres" if os.geteuid() == 0 else None)
        self._postgres = postgres

    def command(self) -> list[str]:
        settings = self.directory / "pgbouncer.ini"
        settings.write_text(
            f"""
            [databases]
            * = host=127.0.0.1 port={self._postgres.port} user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = {CONNECTIONS}
            max_client_conn = 200
            """.replace("\n            ", "\n")
        )
        return [find("pgbouncer"), str(settings)]

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"
