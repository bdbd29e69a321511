"""Packages of npm, for pages that use what people use."""

import fcntl
import json
import subprocess
import tempfile
from pathlib import Path

from tests.servers.packages import find

FOLDER = Path(tempfile.gettempdir()) / "live-single-session-npm"
QUIETLY = ["--no-audit", "--no-fund", "--ignore-scripts"]


def npm(name: str, spec: str) -> Path:
    """The folder of a package, installed under that name when it is first asked for."""
    FOLDER.mkdir(exist_ok=True)
    manifest = FOLDER / "package.json"
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not manifest.exists():
            manifest.write_text(json.dumps({"name": "pages", "private": True}))
        if name not in json.loads(manifest.read_text()).get("dependencies", {}):
            subprocess.run(
                [find("npm"), "install", *QUIETLY, f"{name}@npm:{spec}"],
                cwd=FOLDER,
                check=True,
                capture_output=True,
            )
    return FOLDER / "node_modules" / name
