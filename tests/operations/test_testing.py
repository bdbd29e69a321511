"""live_single_session.testing, in the suite of a site that is run as that site runs it."""

import os
import subprocess
import sys

import pytest

from live_single_session.testing import Tab, asign_in
from tests.operations.pages import block
from tests.servers.process import ROOT


@pytest.mark.parametrize("how", [[], ["--parallel", "2"]], ids=["alone", "parallel"])
def test_a_sites_own_suite(how, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-X", "dev", "-m", "django", "test"),
            *("--pattern", "suite.py", *how, "tests.operations.tested_site"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.operations.tested_site.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0
    assert "Ran 12 tests" in done.stdout
    assert "never awaited" not in done.stdout


@pytest.mark.django_db(transaction=True)
async def test_with_pytest(django_user_model):
    user = await django_user_model.objects.acreate_user("alice")
    async with Tab(await asign_in(user)) as tab:
        await asign_in(user)
        assert await tab.told() == "superseded"


@pytest.mark.django_db(transaction=True)
async def test_a_tab_that_is_opened_too_late_is_told_as_well(django_user_model):
    user = await django_user_model.objects.acreate_user("alice")
    laptop = await asign_in(user)
    await asign_in(user)
    async with Tab(laptop) as tab:
        assert await tab.told() == "superseded"


def test_the_example_of_the_page(tmp_path):
    """docs/testing.md, as a suite of its own."""
    for heading in ("Sessions", "Tabs"):
        example = block("testing.md", heading, "TestCase")
        (tmp_path / f"test_{heading.lower()}.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", str(tmp_path)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.operations.tested_site.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Ran 2 tests" in done.stdout
