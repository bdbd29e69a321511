"""Arrows point down only, and nothing below ``push`` knows that Channels exists."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import live_single_session

PACKAGE = "live_single_session"
ROOT = Path(live_single_session.__file__).parent

BELOW_PUSH = ["signals", "registry", "policy", "backends", "engine", "models", "conf"]
ABOVE_REGISTRY = [
    "push",
    "watch",
    "middleware",
    "errands",
    "views",
    "receivers",
    "guard",
    "routing",
]


def modules():
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


PATHS = dict(modules())


def imports(path):
    """Everything that a module imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(room):
    """The modules of the package that one of them imports."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imports(PATHS[room])}
    # A module that imports its neighbours names the package that they are both in.
    return names & PATHS.keys() - {room, room.rpartition(".")[0]}


def reached_from(room):
    reached, to_do = set(), [room]
    while to_do:
        if (name := to_do.pop()) not in reached:
            reached.add(name)
            to_do.extend(rooms_of(name))
    return reached


def test_arrows_make_no_circle():
    TopologicalSorter({room: rooms_of(room) for room in PATHS}).prepare()


@pytest.mark.parametrize("room", BELOW_PUSH)
def test_nothing_below_push_knows_of_channels(room):
    for reached in reached_from(room):
        known = {name.partition(".")[0] for name in imports(PATHS[reached])}
        assert not known & {"channels", "channels_redis", "daphne"}, reached


@pytest.mark.parametrize("room", BELOW_PUSH)
def test_nothing_below_push_knows_of_what_is_above_the_registry(room):
    assert not reached_from(room) & set(ABOVE_REGISTRY)


def test_policy_does_no_input_or_output():
    known = {name for room in reached_from("policy") for name in imports(PATHS[room])}
    assert not [name for name in known if name.startswith("django.db")]


def test_only_conf_reads_the_setting():
    readers = {
        room
        for room, path in PATHS.items()
        if '"LIVE_SINGLE_SESSION"' in path.read_text()
        or "settings.LIVE_SINGLE_SESSION" in path.read_text()
    }
    assert readers <= {"conf", "checks"}
