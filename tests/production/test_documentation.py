"""The documentation says what the code does, as far as a program can tell."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.test import AsyncClient

from live_single_session import conf, registry, signals
from live_single_session.models import EndReason
from tests.asgi import application
from tests.servers.process import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS.glob("*.md")]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list:
    """The code blocks of one language on all pages, as parameters named after their lines."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCE.finditer(text):
            if match[2] == language:
                line = text[: match.start()].count("\n") + 2
                code = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
                found.append(pytest.param(code, id=f"{page.name}:{line}"))
    return found


@pytest.mark.parametrize("code", blocks("python"))
def test_python_compiles(code):
    compile(code, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_imports_what_there_is(code):
    """Of this package: names that were renamed would be found nowhere else."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("live_single_session"):
            names = ", ".join(alias.name for alias in node.names)
            exec(f"from {node.module} import {names}")


@pytest.mark.parametrize("code", blocks("json"))
def test_json_is_valid(code):
    json.loads(code)


def test_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    files = [link.partition("#")[0] for link in links if "://" not in link]
    assert [file for file in files if file and not (page.parent / file).exists()] == []


# The reference has all that there is, and nothing that there isn't


def reference(page: str = "reference.md") -> str:
    return (DOCS / page).read_text()


@pytest.mark.parametrize(
    "page", [DOCS / "reference.md", ROOT / "README.md"], ids=lambda p: p.name
)
def test_every_setting_is_in(page):
    table = page.read_text().partition("| key | default |")[2].partition("\n\n")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` ", table, re.MULTILINE))
    assert {name: ast.literal_eval(value) for name, value in listed.items()} == conf.DEFAULTS


def test_every_check_is_in_the_reference():
    package = Path(inspect.getfile(conf)).parent
    sources = [path.read_text() for path in package.glob("*.py")]
    raised = {
        id_ for text in sources for id_ in re.findall(r"live_single_session\.[EW]\d+", text)
    }
    listed = set(re.findall(r"^\| `(live_single_session\.[EW]\d+)`", reference(), re.MULTILINE))
    assert listed == raised


def test_every_signal_reason_and_command_is_documented():
    text = reference()
    names = [name for name in vars(signals) if name[0].islower() and name != "Signal"]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [name for name in EndReason.values if f"`{name}`" not in text] == []
    ours = [name for name, app in get_commands().items() if app == "live_single_session"]
    assert [name for name in ours if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["start", "end", "end_all", "live"])
def test_registry_is_as_documented(name):
    signature = inspect.signature(getattr(registry, name))
    documented = re.search(rf"^\| `{name}\(([^)]*)\)` \| `(\w+)` ", reference(), re.MULTILINE)
    assert [part.partition("=")[0] for part in documented[1].split(", ")] == list(
        signature.parameters
    )
    assert hasattr(registry, documented[2])


# The helper for other people's tests, as it stands in the documentation


@pytest.mark.django_db(transaction=True)
async def test_helper_for_tests_works_as_it_stands(django_user_model):
    text = (DOCS / "howto.md").read_text()
    (helper,) = [found[3] for found in FENCE.finditer(text) if "class Tab:" in found[3]]
    namespace: dict = {}
    exec(helper, namespace)
    user = await django_user_model.objects.acreate_user("alice")
    laptop, phone = AsyncClient(), AsyncClient()
    await laptop.aforce_login(user)

    async with namespace["Tab"](application, laptop) as tab:
        await phone.aforce_login(user)
        assert await tab.told() == "superseded"


@pytest.mark.django_db
def test_example_of_a_test_passes(client, django_user_model):
    text = (DOCS / "howto.md").read_text()
    (example,) = [
        found[3] for found in FENCE.finditer(text) if "laptop.force_login" in found[3]
    ]
    namespace: dict = {}
    exec(example, namespace)
    namespace["test_second_sign_in_ends_the_first"](client, django_user_model)
