"""The documentation says what the code does, as far as a program can tell."""

import ast
import inspect
import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import NamedTuple

import pytest
from daphne.cli import CommandLineInterface
from django.core.management import get_commands, load_command_class
from django.template import engines
from django.test import AsyncClient
from markdown_it import MarkdownIt
from packaging.requirements import Requirement

import live_single_session
from live_single_session import conf, registry, signals
from live_single_session.models import EndReason, UserSession
from live_single_session.notices import notice_of
from tests.asgi import application
from tests.helpers.clients import FIREFOX, AsyncBrowser
from tests.servers.process import ROOT

STATIC = Path(live_single_session.__file__).parent / "static" / "live_single_session"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS.glob("*.md")]


class Block(NamedTuple):
    page: str
    line: int
    language: str
    code: str


BLOCKS = [
    Block(page.name, token.map[0] + 1, token.info, token.content)
    for page in PAGES
    for token in MarkdownIt().parse(page.read_text())
    if token.type in ("fence", "code_block")
]


def in_language(*languages: str) -> pytest.MarkDecorator:
    """The code blocks of some languages on all pages, as parameters named after their lines."""
    found = [
        pytest.param(block.code, id=f"{block.page}:{block.line}")
        for block in BLOCKS
        if block.language in languages
    ]
    return pytest.mark.parametrize("code", found)


def block_with(text: str, page: str) -> str:
    (found,) = [block.code for block in BLOCKS if block.page == page and text in block.code]
    return found


# Every block can be run, or is at least what it says


def test_every_block_is_in_a_language_that_is_looked_at_below():
    checked = {"console", "css", "django", "http", "js", "json", "nginx", "python", "sql"}
    drawn = {"text"}
    unknown = [block for block in BLOCKS if block.language not in checked | drawn]
    assert unknown == []


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


@in_language("json")
def test_json_is_valid(code):
    json.loads(code)


@in_language("django")
def test_templates_compile(code):
    engines["django"].from_string(code)


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


@in_language("sql")
def test_sql_drops_the_table_that_it_names(code):
    (table,) = re.findall(r"DROP TABLE (\w+);", code)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE TABLE {table} (id)")
        database.executescript(code)
        assert database.execute("SELECT * FROM sqlite_master").fetchall() == []


@in_language("http")
@pytest.mark.django_db
def test_http_goes_where_something_answers(code, client):
    method, path = code.partition("\n")[0].split()
    _head, _, body = code.partition("\n\n")
    json.loads(body)
    assert client.generic(method, path, body, "application/json").status_code != 404


@in_language("console")
def test_commands_exist(code):
    for line in code.splitlines():
        _check_command(line.removeprefix("$ ").partition("  #")[0])


def _check_command(line: str) -> None:
    match line.split():
        case ["python", "manage.py", command, *arguments]:
            loaded = load_command_class(get_commands()[command], command)
            parser = loaded.create_parser("manage.py", command)
            known = {flag for action in parser._actions for flag in action.option_strings}
            assert set(re.findall(r"--[\w-]+", " ".join(arguments))) <= known
        case ["make", target, *_]:
            assert re.search(
                rf"^([\w -]+ )?{target}\b.*:", (ROOT / "Makefile").read_text(), re.M
            )
        case ["python", "-m", "pip", "install", package]:
            wanted = Requirement(package.strip('"'))
            assert wanted.name == PROJECT["name"]
            assert wanted.extras <= PROJECT["optional-dependencies"].keys()
        case ["daphne", *arguments]:
            CommandLineInterface().parser.parse_args(arguments)
        case ["docker", "compose", "up", *_]:
            assert (ROOT / "docker-compose.yml").exists()
        case ["python", "-m", "venv", _] | [".", _] | ["cd", _]:
            pass
        case ["django-admin", "startproject", _]:
            pass
        case _:
            pytest.fail(f"nobody knows whether this works: {line}")


def test_builds_without_a_warning_and_finds_its_images(tmp_path):
    """MkDocs warns of links in Markdown that lead nowhere, but not of those in HTML."""
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
    files = [
        page.parent / source
        for page in tmp_path.rglob("*.html")
        for source in re.findall(r'\s(?:src|srcset)="([^":/#][^":#?]*)', page.read_text())
    ]
    assert files
    assert [file for file in files if not file.exists()] == []


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
    sources = [path.read_text() for path in package.rglob("*.py")]
    raised = {
        id_ for text in sources for id_ in re.findall(r"live_single_session\.[EW]\d+", text)
    }
    for text in sources:  # those of a settings dict, whose numbers are counted
        for first, last in re.findall(r'^    """E(\d+) to E(\d+): ', text, re.MULTILINE):
            numbers = range(int(first), int(last) + 1)
            raised |= {f"live_single_session.E{number:03}" for number in numbers}
    listed = set(re.findall(r"^\| `(live_single_session\.[EW]\d+)`", reference(), re.MULTILINE))
    assert listed == raised


def test_versions_that_are_claimed_are_those_that_nox_runs():
    noxfile = (ROOT / "noxfile.py").read_text()
    pairs = re.findall(r'^    \("([\d.]+)", "([\d.]+)"\),$', noxfile, re.MULTILINE)
    run = {f"Programming Language :: Python :: {python}" for python, _ in pairs}
    run |= {f"Framework :: Django :: {django}" for _, django in pairs}
    claimed = {name for name in PROJECT["classifiers"] if re.search(r" :: \d+\.\d+$", name)}
    assert claimed == run


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


# What readers copy into their sites and tests, as it stands in the documentation


@pytest.mark.django_db(transaction=True)
async def test_chat_of_the_tutorial_stops_with_the_session(django_user_model, monkeypatch):
    chat = block_with("class ChatConsumer", "tutorial.md")
    consumer, _, routed = chat.partition("# mysite/asgi.py")
    for name in ("mysite", "mysite.consumers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    exec(consumer, vars(sys.modules["mysite.consumers"]))
    site: dict = {}
    exec(block_with("get_asgi_application()", "tutorial.md") + f"#{routed}", site)
    user = await django_user_model.objects.acreate_user("alice")
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.aforce_login(user)

    async with old.websocket("/ws/chat/", application=site["application"]) as socket:
        await socket.send_json_to({"text": "hello"})
        assert await socket.frame() == {"from": "alice", "text": "hello"}
        await new.aforce_login(user)
        assert await socket.close_code() == 4001


@pytest.mark.django_db(transaction=True)
async def test_helper_for_tests_works_as_it_stands(django_user_model):
    helper = block_with("class Tab:", "howto.md")
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
    example = block_with("laptop.force_login", "howto.md")
    namespace: dict = {}
    exec(example, namespace)
    namespace["test_second_sign_in_ends_the_first"](client, django_user_model)
