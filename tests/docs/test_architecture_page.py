"""The walks of docs/architecture.md lead through files that exist, and never back up."""

import ast
import re

import pytest

from tests.docs.pages import DOCS
from tests.test_architecture import PATHS, reached_from

STEP = re.compile(r"^\d+\. (.*?)(?=^\d+\. |^$)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"\*\*`([\w/]+)\.py`\*\*")
FUNCTION = re.compile(r"\*\*`([\w/]+)\.py`\*\* `(?:(\w+)\.)?(\w+)\(\)`")

TEXT = (DOCS / "architecture.md").read_text()


def walks():
    """The numbered lists, each as the modules of its steps."""
    for number, part in enumerate(re.split(r"\n\n(?=1\. )", TEXT)[1:]):
        steps = [
            FILE.findall(step) for step in STEP.findall(part.partition("\n\n")[0] + "\n\n")
        ]
        modules = [[name.replace("/", ".") for name in names] for names in steps if names]
        yield pytest.param(modules, id=f"{number}-{modules[0][0]}")


@pytest.mark.parametrize("walk", list(walks()))
def test_a_walk_never_turns_back(walk):
    assert len(walk) > 1
    for position, step in enumerate(walk):
        below = {module for later in walk[position + 1 :] for module in later}
        above = {(m, up) for m in below for up in step if up in reached_from(m) - {m}}
        assert above == set()


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`([\w/]+)\.py`", TEXT))))
def test_every_file_exists(file):
    assert file.replace("/", ".") in PATHS or file == "tests/test_architecture"


@pytest.mark.parametrize(("file", "holder", "name"), sorted(set(FUNCTION.findall(TEXT))))
def test_every_function_is_where_the_page_says(file, holder, name):
    tree = ast.parse(PATHS[file.replace("/", ".")].read_text())
    functions = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert name in functions | classes
    assert not holder or holder in classes
