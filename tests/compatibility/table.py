"""A pytest plugin: makes docs/compatibility.md of the tests that say what they drive.

A test says so by the marker ``drives("what was driven", "what to set", *names)``. The names are
of the distributions, or of the programs below, whose versions count.
"""

import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.servers.packages import find

PROGRAMS = {
    "PgBouncer": "pgbouncer",
    "PostgreSQL": "postgres",
    "Redis Sentinel": "redis-server",
}

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- The table: make compatibility -->", "<!-- The end of the table -->"
HEAD = "| package | what was tested | works | what to set |\n| --- | --- | --- | --- |\n"

rows: dict[str, tuple[str, str, str]] = {}
outcomes: dict[str, bool] = {}


def version_of(name: str) -> str:
    """Return the version of a program or of a distribution."""
    if name not in PROGRAMS:
        return version(name)
    command = [find(PROGRAMS[name]), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    assert found, said
    return found[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (marker := item.get_closest_marker("drives")) is not None:
            what, to_set, *distributions = marker.args
            named = ", ".join(f"{name} {version_of(name)}" for name in distributions)
            rows[item.nodeid] = named, what, to_set


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    outcomes[item.nodeid] = outcomes.get(item.nodeid, True) and report.passed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    seen: dict[tuple[str, str, str], bool] = {}  # of several variants, all have to hold
    for node, holds in outcomes.items():
        if node in rows:
            seen[rows[node]] = seen.get(rows[node], True) and holds
    lines = sorted(
        f"| {named} | {what} | {'yes' if holds else '**no**'} | {to_set} |\n"
        for (named, what, to_set), holds in seen.items()
    )
    table = HEAD + "".join(lines)
    print("\n\n" + table)
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}")
