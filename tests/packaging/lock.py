"""What the project asks for, and what is pinned."""

import tomllib

from packaging.utils import canonicalize_name

from tests.servers.process import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned() -> dict[str, str]:
    """Return the packages of `requirements-dev.lock`, with their versions."""
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}
