"""Which system programs the suite needs, and how to get those that are missing.

Only the standard library: `make` runs it before anything is installed.
"""

import glob
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

# What each program is called in Debian. Chromium draws no text where there is no font.
PACKAGES = {
    "redis-server": ["redis-server"],
    "initdb": ["postgresql"],
    "postgres": ["postgresql"],
    "pg_basebackup": ["postgresql"],
    "pgbouncer": ["pgbouncer"],
    "mariadb-install-db": ["mariadb-server"],
    "mariadbd": ["mariadb-server"],
    "mariadb": ["mariadb-client"],
    "mariadb-dump": ["mariadb-client"],
    "chromium": ["chromium", "fonts-liberation"],
    "firefox-esr": ["firefox-esr"],
    "nginx": ["nginx-light"],
    "faketime": ["faketime"],
    "wrk": ["wrk"],
    "npm": ["npm"],
    "spin": ["spin"],
    "cc": ["gcc", "libc6-dev"],
}


class MissingProgramError(Exception):
    """A test needs a program that this machine lacks. The test fails; it isn't skipped."""


def find(program: str) -> str:
    """The path of a program, also where it isn't on PATH, as Debian's PostgreSQL isn't."""
    newest_first = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    folders = [*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin", *newest_first]
    path = shutil.which(program, path=os.pathsep.join(folders))
    if path is None:
        packages = " ".join(PACKAGES[program])
        raise MissingProgramError(
            f"This test needs {program}. Install it (Debian: apt-get install {packages}), "
            f"or let `make test` install all that the suite needs."
        )
    return path


def missing_packages() -> list[str]:
    """The Debian packages to install before the whole suite can run here."""
    packages = [
        name for program in PACKAGES if not _is_found(program) for name in PACKAGES[program]
    ]
    return list(dict.fromkeys([*packages, *_missing_to_compile_mysqlclient()]))


def _is_found(program: str) -> bool:
    try:
        find(program)
    except MissingProgramError:
        return False
    return True


def _missing_to_compile_mysqlclient() -> list[str]:
    if importlib.util.find_spec("MySQLdb"):
        return []
    missing = []
    if not shutil.which("cc"):
        missing += ["gcc", "libc6-dev"]
    if not shutil.which("pkg-config"):
        missing.append("pkg-config")
    if not glob.glob("/usr/lib/*/pkgconfig/libmariadb.pc"):
        missing.append("libmariadb-dev")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append(f"{PYTHON}-dev")
    return missing


def _missing_to_make_an_environment() -> list[str]:
    return [] if importlib.util.find_spec("ensurepip") else [f"{PYTHON}-venv"]


def install(packages: list[str]) -> None:
    """Install Debian packages as root or with sudo; exit saying what to do where it can't."""
    if not packages:
        return
    by_hand = f"Install these first: {' '.join(packages)}"
    if not shutil.which("apt-get"):
        sys.exit(f"{by_hand} (this machine has no apt-get)")
    if os.geteuid() != 0 and not shutil.which("sudo"):
        sys.exit(f"{by_hand} (it takes root, and there is no sudo)")
    print(f"Installing what the suite needs: {' '.join(packages)}", flush=True)
    _apt_get("update", "--quiet")  # a list that couldn't be renewed may still be good enough
    if _apt_get("install", "--yes", "--quiet", "--no-install-recommends", *packages):
        sys.exit(f"{by_hand} (apt-get failed, see above)")


def _apt_get(*arguments: str) -> int:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive"]
    return subprocess.run([*sudo, *quietly, "apt-get", *arguments], check=False).returncode


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["venv"]:
            install(_missing_to_make_an_environment())
        case ["suite"]:
            install(missing_packages())
        case _:
            sys.exit("usage: python -m tests.servers.packages venv|suite")
