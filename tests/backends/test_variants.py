"""The site in other shapes, each in a process of its own: `tests.backends.variants`."""

import os
import subprocess
import sys

import pytest

from tests.helpers.engines import PATHS
from tests.servers.process import ROOT

pytestmark = pytest.mark.slow

VARIANTS = [
    ("inherited_users", "db"),
    ("uuid_users", "db"),
    ("uuid_users", "cached_db"),
    ("string_users", "db"),
    ("string_users", "file"),
    ("databases", "db"),
    ("databases", "cached_db"),
    ("local_times", "db"),
    ("local_times", "file"),
    ("local_times_database", "db"),
    ("user_sessions", "db"),
]


@pytest.mark.parametrize(
    ("variant", "engine"), VARIANTS, ids=["-".join(pair) for pair in VARIANTS]
)
def test_guarantees_hold_for(variant, engine, tmp_path):
    check(variant, engine, tmp_path, f"sqlite:///{tmp_path / 'site.sqlite3'}")


@pytest.mark.parametrize("variant", ["inherited_users", "uuid_users", "string_users"])
def test_guarantees_hold_on_postgresql_for(variant, site_database, tmp_path):
    check(variant, "db", tmp_path, site_database("postgres"))


def check(variant, engine, tmp_path, database_url):
    scenario = ROOT / "tests" / "backends" / "variants" / "scenario.py"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(scenario), "-q", "--no-migrations"),
            *("-p", "no:cacheprovider", "--ds=tests.backends.variants.settings"),
        ],
        cwd=ROOT,
        env=os.environ
        | {
            "VARIANT": variant,
            "SESSION_ENGINE": PATHS[engine],
            "SESSION_FILE_PATH": str(tmp_path),
            "DATABASE_URL": database_url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
