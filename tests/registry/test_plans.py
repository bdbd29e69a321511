"""No query that is made for a user reads much of a large table."""

import os
import subprocess
import sys

import pytest

from tests.servers.process import ROOT


@pytest.mark.parametrize("sessions", [2, 10])
def test_queries_in_large_tables_use_indexes(site_database, sessions):
    """The planner knows how many sessions an average user has, and this one has very many."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": site_database("postgres"),
    }
    looked = subprocess.run(
        [sys.executable, "-m", "tests.registry.plans", str(sessions)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert looked.returncode == 0, looked.stdout
    assert "looked at: a sign-out" in looked.stdout
