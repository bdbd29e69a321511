"""The site with an API, in a process of its own."""

import os
import subprocess
import sys
from typing import Any

from tests.servers.process import ROOT

SETTINGS = "tests.contrib.simplejwt.settings"


def run(module: str, *arguments: str, env: dict[str, Any]) -> None:
    """Run a module with the settings and on the database of a site."""
    names = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")
    own = {name: env[name] for name in names}
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, check=True)
