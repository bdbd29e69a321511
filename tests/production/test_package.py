"""The package as others get it: built, and installed as the README says."""

import os
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.servers.process import ROOT, ServerProcess
from tests.servers.waiting import wait_until

PACKAGE = ROOT / "live_single_session"
PASSWORD = "correct horse battery staple"

REDIS_IN_README = "redis://127.0.0.1:6379/0"


class Built(NamedTuple):
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What would be uploaded; the wheel is made from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return Built(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


def test_what_would_be_uploaded_passes_the_check_of_its_metadata(built):
    _run(sys.executable, "-m", "twine", "check", "--strict", *map(str, built))


def test_wheel_has_the_whole_package_and_nothing_else(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == _files_of_package()
    for kind in ["py.typed", ".js", ".css", ".html", "0001_initial.py"]:
        assert any(name.endswith(kind) for name in packed), kind


def test_every_translation_is_packed_compiled(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        packed = set(wheel.namelist())
    sources = [name for name in _files_of_package() if name.endswith(".po")]
    assert [name for name in sources if f"{name[:-3]}.mo" not in packed] == []


def test_sdist_can_be_tested_and_has_no_secrets(built):
    with tarfile.open(built.sdist) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = ["Makefile", "pyproject.toml", "tests/conftest.py", "demo/settings.py"]
    wanted += ["deploy/settings.py", "docker-compose.yml", "docs/guarantees.md", "LICENSE"]
    assert {name for name in wanted if (ROOT / name).exists()} <= packed
    secrets = [name for name in packed if re.search(r"secret_key|sqlite3|\.pyc$|\.env", name)]
    assert secrets == []


def _files_of_package() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


# A site made by following the README to the letter


class Readme:
    """The code blocks of the README's section on installing."""

    def __init__(self) -> None:
        section = (ROOT / "README.md").read_text().partition("\n## Install\n")[2]
        section = section.partition("\n## ")[0]
        self._blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)

    def of(self, language: str) -> list[str]:
        return [code for found, code in self._blocks if found == language]


# What the reader's site has already.

SITE_SETTINGS = """
from pathlib import Path
TEMPLATES[0]["DIRS"] = [Path(__file__).parent / "templates"]
LOGIN_REDIRECT_URL = "/"
"""

SITE_URLS = """
from django.contrib import admin
from django.views.generic import TemplateView

their_own = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("", TemplateView.as_view(template_name="home.html")),
]
"""

BASE_TEMPLATE = """<!doctype html>
<html lang="en">
{readme}
<body>{{% block main %}}{{% endblock %}}</body>
</html>
"""

LOGIN_TEMPLATE = """{% extends "base.html" %}{% block main %}
<form method="post">{% csrf_token %}{{ form }}<button>Sign in</button></form>
{% endblock %}"""

HOME_TEMPLATE = """{% extends "base.html" %}{% block main %}
<h1>Hello, {{ user.username }}</h1>
{% endblock %}"""

SIGN_UP = f"""
from django.contrib.auth.models import User
for name in ("alice", "bob"):
    User.objects.create_user(name, password={PASSWORD!r})
"""


class ReadersSite(ServerProcess):
    """A site of somebody who has read the README, and done what it says."""

    name = "site"
    ready_text = "Starting ASGI/Daphne"

    def __init__(self, wheel: Path, redis_url: str) -> None:
        super().__init__()
        self.folder = self.directory / "mysite"
        self._wheel = wheel
        self._redis_url = redis_url
        self._bin = self.directory / "venv" / "bin"
        self.said = ""  # by the commands of the README

    def follow_readme(self) -> None:
        readme = Readme()
        install, look = readme.of("console")
        settings, asgi, urls = readme.of("python")
        (template,) = readme.of("django")

        _run(sys.executable, "-m", "venv", str(self._bin.parent))
        self._follow(install, self.directory)
        self._follow("django-admin startproject mysite\n", self.directory)
        site = self.folder / "mysite"
        self._write_settings(site / "settings.py", settings)
        (site / "asgi.py").write_text(asgi)
        (site / "urls.py").write_text(_after_imports(urls, SITE_URLS, "*their_own,"))
        (site / "templates" / "registration").mkdir(parents=True)
        (site / "templates" / "base.html").write_text(
            BASE_TEMPLATE.format(readme=template.replace("...", "<title>My site</title>"))
        )
        (site / "templates" / "home.html").write_text(HOME_TEMPLATE)
        (site / "templates" / "registration" / "login.html").write_text(LOGIN_TEMPLATE)
        self.said = self._follow(look, self.folder)
        self._follow(f"python manage.py shell -c {shlex.quote(SIGN_UP)}", self.folder)

    def _write_settings(self, path: Path, block: str) -> None:
        """Put the block behind the settings that are there, whose lists it adds to."""
        assert block.count(ELLIPSIS) == 2
        block = block.replace(REDIS_IN_README, self._redis_url)
        for name in ("INSTALLED_APPS", "MIDDLEWARE"):
            block = block.replace(ELLIPSIS, f"    *theirs[{name!r}],", 1)
        theirs = "theirs = {'INSTALLED_APPS': INSTALLED_APPS, 'MIDDLEWARE': MIDDLEWARE}"
        once = "MIDDLEWARE = list(dict.fromkeys(MIDDLEWARE))  # it shows where its own goes"
        path.write_text("\n".join([path.read_text(), SITE_SETTINGS, theirs, block, once]))

    def command(self) -> list[str]:
        address = f"127.0.0.1:{self.port}"
        manage = str(self.folder / "manage.py")
        return [str(self._bin / "python"), manage, "runserver", "--noreload", address]

    def start(self) -> None:
        super().start()
        wait_until(self._answers, "the site to answer", self.ready_seconds)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url).is_success
        except httpx.ConnectError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        kept_out = ("DJANGO_SETTINGS_MODULE", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if name not in kept_out}
        constraint = self.directory / "constraint"
        constraint.write_text(f"django-live-single-session=={self._wheel.name.split('-')[1]}")
        found = f"{self._wheel.parent} {env.get('PIP_FIND_LINKS', '')}"
        return env | {
            "PATH": f"{self._bin}:{env['PATH']}",
            "PIP_FIND_LINKS": found.strip(),
            "PIP_CONSTRAINT": str(constraint),  # this one, whatever else there may be
            "PIP_QUIET": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _follow(self, commands: str, folder: Path, **env: str) -> str:
        """Run what the README says; return what the commands said."""
        return _run("sh", "-e", "-c", commands, cwd=folder, env={**self.environment(), **env})


ELLIPSIS = "    # ..."


def _after_imports(block: str, theirs: str, entry: str) -> str:
    imports, assignment, patterns = block.partition("urlpatterns = ")
    return imports + theirs + assignment + patterns.replace(ELLIPSIS.strip(), entry)


def _run(*command: str, **options) -> str:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def readers_site(built: Built, redis_server):
    site = ReadersSite(built.wheel, redis_server.url)
    try:
        site.follow_readme()
        site.start()
        yield site
    finally:
        site.close()


def test_checks_have_nothing_to_say_about_a_site_made_by_the_readme(readers_site):
    assert "System check identified no issues (0 silenced)." in readers_site.said


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(new_browser_context, readers_site, redis):
    """`await sign_in("alice")`: the page of somebody who has just signed in."""

    async def sign_in(name: str):
        page = await (await new_browser_context()).new_page()
        await page.goto(f"{readers_site.url}/accounts/login/")
        await page.locator("#id_username").fill(name)
        await page.locator("#id_password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name=f"Hello, {name}")).to_be_visible()
        return page

    yield sign_in
    print(f"The site printed:\n{readers_site.log[-4000:]}")


async def test_inv4_site_made_by_the_readme_tells_the_tab_that_was_left_behind(
    sign_in, browser
):
    old, bobs = await sign_in("alice"), await sign_in("bob")

    new = await sign_in("alice")

    await expect(old.get_by_role("alertdialog")).to_be_visible(timeout=20_000)
    await expect(old.get_by_role("alertdialog")).to_contain_text("signed in")
    for page in (new, bobs):
        await page.reload()
        await expect(page.get_by_role("heading", name="Hello")).to_be_visible()
        await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_site_made_by_the_readme_has_its_pages(sign_in, browser, readers_site):
    page = await sign_in("bob")
    answer = await page.goto(f"{readers_site.url}/session/")
    assert answer.status == 200
