"""No query that is made for a user scans a large table."""

import os
import subprocess
import sys

from tests.servers.process import ROOT


def test_queries_in_large_tables_use_indexes(site_database):
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": site_database("postgres"),
    }
    looked = subprocess.run(
        [sys.executable, "-m", "tests.registry.plans"],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert looked.returncode == 0, looked.stdout
    assert "looked at: a sign-out" in looked.stdout
