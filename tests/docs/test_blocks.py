"""Every code block of the documentation can be run, or is at least what it says it is."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from io import StringIO
from pathlib import Path
from pkgutil import resolve_name

import pytest
from daphne.cli import CommandLineInterface
from django.core.management import (
    BaseCommand,
    call_command,
    get_commands,
    load_command_class,
)
from django.template import engines
from packaging.requirements import Requirement

import live_single_session
from tests.docs.pages import BLOCKS, DOCS, PAGES, Block, each, in_language, name_of
from tests.servers.process import ROOT

STATIC = Path(live_single_session.__file__).parent / "static" / "live_single_session"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MOST_WORDS = 2000

# How the blocks of each language are looked at below.
CHECKED = {
    *("console", "css", "django", "html", "http"),
    *("js", "json", "nginx", "python", "sql"),
}
# The mark of output, and of what is drawn.
OUTPUT = {"text"}


def test_every_block_is_checked_or_marked_as_output():
    unknown = [block for block in BLOCKS if block.language not in CHECKED | OUTPUT]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_is_too_long_but_the_reference(page):
    may_be_long = page in (DOCS / "reference.md", ROOT / "CHANGELOG.md")
    assert may_be_long or len(page.read_text().split()) <= MOST_WORDS


@in_language("python")
def test_python_compiles(code):
    compile(code, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@in_language("python")
def test_python_imports_what_there_is(code):
    """Of this package: names that were renamed would be found nowhere else."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("live_single_session"):
            names = ", ".join(alias.name for alias in node.names)
            exec(f"from {node.module} import {names}")


@in_language("python")
def test_python_names_what_there_is(code):
    """By dotted paths, as settings do."""
    strings = [
        node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)
    ]
    for name in strings:
        if isinstance(name, str) and re.fullmatch(r"live_single_session(\.\w+)+", name):
            assert resolve_name(name)


# What a site has beside the block: an app whose import needs Django to be set up.
MYSITE = {
    "__init__.py": "",
    "api.py": "from django.contrib.auth.models import User\nstarlette_app = User",
    "consumers.py": "from django.contrib.auth.models import User",
}


NEEDS_DJANGO = ("channels", "django.urls", "live_single_session", "mysite")


@each([block for block in BLOCKS if "ProtocolTypeRouter(" in block.code])
def test_asgi_imports_after_django_is_set_up(code):
    if "# mysite/asgi.py, below the other imports" in code:
        return
    statements = ast.parse(code).body
    set_up = [n for n, statement in enumerate(statements) if _sets_django_up(statement)]
    early = [
        statement.module
        for statement in statements[: set_up[0]]
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith(NEEDS_DJANGO)
    ]
    assert early == []


def _sets_django_up(statement: ast.stmt) -> bool:
    return ast.unparse(statement).endswith("= get_asgi_application()")


def _is_whole_asgi_file(block: Block) -> bool:
    return "ProtocolTypeRouter(" in block.code and "DJANGO_SETTINGS_MODULE" in block.code


@each([block for block in BLOCKS if _is_whole_asgi_file(block)])
def test_asgi_file_can_be_imported_by_a_server(code, tmp_path):
    """In a new process, in which nothing has set Django up before."""
    folder = tmp_path / "mysite"
    folder.mkdir()
    for name, text in MYSITE.items():
        (folder / name).write_text(text)
    (folder / "asgi.py").write_text(code)
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-c", "from mysite.asgi import application"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True)


@in_language("json")
def test_json_is_valid(code):
    json.loads(code)


@in_language("django")
def test_templates_compile(code):
    engines["django"].from_string(code)


@in_language("html")
async def test_html_needs_no_repair(code, browser):
    """A browser mends what is wrong with it, and writes it otherwise then."""
    page = await browser.new_page()
    names = re.findall(r"</?([a-z]+)", code)
    mended = await page.evaluate(
        "code => new DOMParser().parseFromString(code, 'text/html').documentElement.outerHTML",
        code,
    )
    await page.close()
    assert re.findall(r"</?([a-z]+)", mended) == names


@in_language("js")
async def test_javascript_compiles(code, browser):
    page = await browser.new_page()
    await page.evaluate("code => { new (async () => {}).constructor(code) }", code)
    await page.close()


@in_language("css")
async def test_css_sets_what_the_package_reads(code, browser):
    page = await browser.new_page()
    properties = await page.evaluate(
        """code => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync(code);
            return [...sheet.cssRules].flatMap((rule) => [...rule.style]);
        }""",
        code,
    )
    await page.close()
    assert len(properties) == code.count(";")
    ours = (STATIC / "live-single-session.css").read_text()
    assert [name for name in properties if f"var({name}," not in ours] == []


@in_language("nginx")
def test_nginx_is_configured_as_where_it_is_tested(code):
    """tests/deployment runs the template, which the documentation quotes."""
    template = (ROOT / "deploy" / "nginx" / "site.conf.template").read_text()
    tested = {_directive(line) for line in template.splitlines()}
    quoted = [_directive(line) for line in code.splitlines()]
    assert [line for line in quoted if line not in tested | {"proxy_pass http://site;"}] == []


def _directive(line: str) -> str:
    return " ".join(line.partition("#")[0].split())


@in_language("http")
@pytest.mark.django_db
def test_http_goes_where_something_answers(code, client):
    method, path = code.partition("\n")[0].split()
    _head, _, body = code.partition("\n\n")
    json.loads(body)
    assert client.generic(method, path, body, "application/json").status_code != 404


# Not run here: what goes on for ever, asks, or changes the machine. The sites of readers in
# tests/packaging run these.
BY_READERS = {"check", "createsuperuser", "migrate", "runserver", "shell"}


@in_language("console")
@pytest.mark.django_db(transaction=True)
def test_commands_run(code):
    for line in code.splitlines():
        _run(line.removeprefix("$ ").partition("  #")[0])


def _run(line: str) -> None:
    match shlex.split(line):
        case ["python", "manage.py", command, *arguments]:
            loaded = load_command_class(get_commands()[command], command)
            if "[" in line or "|" in line:
                _check_synopsis(loaded, command, arguments)
            elif command not in BY_READERS:
                call_command(loaded, *arguments, "--verbosity=0", stdout=StringIO())
        case ["make", *arguments]:
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True)
        case ["python", "-m", "pip", "install", package]:
            wanted = Requirement(package)
            assert wanted.name == PROJECT["name"]
            assert wanted.extras <= PROJECT["optional-dependencies"].keys()
        case ["daphne", *arguments]:
            CommandLineInterface().parser.parse_args(arguments)
        case ["docker", "compose", "up", *_]:
            assert (ROOT / "docker-compose.yml").exists()
        case ["python", "-m", "venv", _] | [".", _] | ["cd", _]:
            pass  # a reader's site does so
        case ["django-admin", "startproject", _]:
            pass
        case _:
            pytest.fail(f"nobody knows whether this works: {line}")


def _check_synopsis(loaded: BaseCommand, name: str, arguments: list[str]) -> None:
    parser = loaded.create_parser("manage.py", name)
    known = {flag for action in parser._actions for flag in action.option_strings}
    assert set(re.findall(r"--[\w-]+", " ".join(arguments))) <= known
