"""A real nginx, with a configuration made from a template as its Docker image makes it."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.servers.packages import find
from tests.servers.process import ServerProcess

# What the image has around it. Everything it writes is in the server's own directory.
MAIN = """
daemon off;
pid {directory}/pid;
error_log stderr notice;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
    default_type application/octet-stream;
    types {{ text/css css; text/javascript js; image/svg+xml svg; }}
    access_log {directory}/access.log;
    client_body_temp_path {directory}/temp-body;
    proxy_temp_path {directory}/temp-proxy;
    fastcgi_temp_path {directory}/temp-fastcgi;
    uwsgi_temp_path {directory}/temp-uwsgi;
    scgi_temp_path {directory}/temp-scgi;
    include {directory}/site.conf;
}}
"""


class Nginx(ServerProcess):
    """Serves what a template says.

    Args:
        template: a file in which ``${NAME}`` stands for a value of the environment.
        env: those values, without ``LISTEN``, the address that it gets.
    """

    name = "nginx"
    ready_text = "start worker processes"

    def __init__(self, template: Path, env: Mapping[str, str]) -> None:
        super().__init__()
        self.directory.chmod(0o755)  # its workers aren't root
        self._template = template.read_text()
        self._env = env

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        env = {**self._env, "LISTEN": f"127.0.0.1:{self.port}"}
        site = re.sub(r"\$\{(\w+)\}", lambda found: env[found[1]], self._without_comments())
        (self.directory / "site.conf").write_text(site)
        main = self.directory / "nginx.conf"
        main.write_text(MAIN.format(directory=self.directory))
        return [find("nginx"), "-p", str(self.directory), "-c", str(main), "-e", "stderr"]

    def _without_comments(self) -> str:
        return re.sub(r"^\s*#.*$", "", self._template, flags=re.MULTILINE)
