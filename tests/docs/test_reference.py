"""The reference and the protocol have all that there is, and nothing else."""

import ast
import inspect
import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import get_commands

from live_single_session import conf, registry, signals
from live_single_session.checks.settings import RULES
from live_single_session.contrib.simplejwt.checks import RULES as TOKEN_RULES
from live_single_session.models import EndReason, UserSession
from live_single_session.notices import notice_of
from tests.docs.pages import DOCS, block_with
from tests.helpers.browsers import FIREFOX
from tests.servers.process import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def reference(page: str = "reference.md") -> str:
    return (DOCS / page).read_text()


def test_every_setting_is_in_the_reference():
    table = reference().partition("| key | default |")[2].partition("\n\n")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` ", table, re.MULTILINE))
    assert {name: ast.literal_eval(value) for name, value in listed.items()} == conf.DEFAULTS


def test_every_check_is_in_the_reference():
    package = Path(inspect.getfile(conf)).parent
    sources = [path.read_text() for path in package.rglob("*.py")]
    raised = {
        id_ for text in sources for id_ in re.findall(r"live_single_session\.[EW]\d+", text)
    }
    for first, rules in ((1, RULES), (101, TOKEN_RULES)):  # see check_dict()
        number = 4 if any(rule.is_path for rule in rules.values()) else 3
        raised |= {f"live_single_session.E{first + n:03}" for n in range(number)}
    listed = set(re.findall(r"^\| `(live_single_session\.[EW]\d+)`", reference(), re.MULTILINE))
    assert listed == raised


def test_versions_that_are_claimed_are_those_that_nox_runs():
    noxfile = (ROOT / "noxfile.py").read_text()
    pairs = re.findall(r'^    \("([\d.]+)", "([\d.]+)"\),$', noxfile, re.MULTILINE)
    run = {f"Programming Language :: Python :: {python}" for python, _ in pairs}
    run |= {f"Framework :: Django :: {django}" for _, django in pairs}
    claimed = {name for name in PROJECT["classifiers"] if re.search(r" :: \d+\.\d+$", name)}
    assert claimed == run
    table = (
        reference("compatibility.md").partition("| Python | Django |")[2].partition("\n\n")[0]
    )
    rows = re.findall(r"^\| (3[\d., ]+) \| ([\d., ]+) \|$", table, re.MULTILINE)
    documented = {
        (python, django)
        for pythons, djangos in rows
        for python in pythons.split(", ")
        for django in djangos.split(", ")
    }
    assert documented == set(pairs)


def test_every_signal_reason_and_command_is_documented():
    text = reference()
    names = [name for name in vars(signals) if name[0].islower() and name != "Signal"]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [name for name in EndReason.values if f"`{name}`" not in text] == []
    ours = [name for name, app in get_commands().items() if app == "live_single_session"]
    assert [name for name in ours if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["start", "end", "end_all", "live_of"])
def test_registry_is_as_documented(name):
    signature = inspect.signature(getattr(registry, name))
    documented = re.search(rf"^\| `{name}\(([^)]*)\)` \| `(\w+)` ", reference(), re.MULTILINE)
    assert [part.partition("=")[0] for part in documented[1].split(", ")] == list(
        signature.parameters
    )
    assert hasattr(registry, documented[2])


def test_frame_of_an_ended_session_is_as_documented(settings):
    settings.LIVE_SINGLE_SESSION = {"NOT_YOU_URL": "/accounts/password_reset/"}
    shown = json.loads(block_with('"session.ended"', "protocol.md"))
    row = UserSession(
        end_reason=EndReason.SUPERSEDED,
        ended_at=datetime(2026, 11, 23, 15, 40, 19, 842000, UTC),
        replaced_by=UserSession(user_agent=FIREFOX),
    )
    told = notice_of(row).frame(signed_in=False)
    assert shown == told | {"session": shown["session"], "message": shown["message"]}
    detail = reference("script.md").partition("| key | |")[2].partition("\n\n")[0]
    assert [key for key in told if key != "type" and f"`{key}`" not in detail] == []
