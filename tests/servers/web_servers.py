"""Web servers other than daphne, serving the test site."""

import sys

from tests.servers.daphne import Daphne


class Uvicorn(Daphne):
    name = "uvicorn"
    ready_text = "Uvicorn running on"

    def command(self) -> list[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-m", "uvicorn", *address, self._application]


class Hypercorn(Daphne):
    name = "hypercorn"
    ready_text = "Running on http"

    def command(self) -> list[str]:
        address = ["--bind", f"127.0.0.1:{self.port}"]
        return [sys.executable, "-m", "hypercorn", *address, self._application]


class Granian(Daphne):
    name = "granian"
    ready_text = "Started worker-1"

    def command(self) -> list[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        how = ["--interface", "asginl", "--ws"]
        return [sys.executable, "-m", "granian", *address, *how, self._application]


SERVERS = {kind.name: kind for kind in (Daphne, Uvicorn, Hypercorn, Granian)}


class Gunicorn(Daphne):
    """WSGI: for HTTP only."""

    name = "gunicorn"
    ready_text = "Booting worker"

    def command(self) -> list[str]:
        how = ["--bind", f"127.0.0.1:{self.port}", "--threads", "4"]
        return [sys.executable, "-m", "gunicorn", *how, self._application]
