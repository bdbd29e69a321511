"""A daphne process that serves an ASGI application, the test site's unless told otherwise."""

import json
import os
import sys
from collections.abc import Mapping

from tests.servers.process import ServerProcess


class Daphne(ServerProcess):
    name = "daphne"
    ready_text = "Listening on TCP address"

    def __init__(
        self,
        application: str = "tests.asgi:application",
        env: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        self._application = application
        self._env = {name: _as_text(value) for name, value in (env or {}).items()}

    @property
    def env(self) -> dict[str, str]:
        """What it was given on top of the environment: enough to start another like it."""
        return dict(self._env)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        return [sys.executable, "-m", "daphne", *address, self._application]

    def environment(self) -> dict[str, str]:
        ours = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONUNBUFFERED": "1"}
        return dict(os.environ) | ours | self._env


def _as_text(value: object) -> str:
    """What goes into the environment: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
