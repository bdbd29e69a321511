"""Sites of readers, who do what the documentation says, to the letter, with the built wheel."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx

from tests.servers.process import ROOT, ServerProcess
from tests.servers.waiting import wait_until

PEOPLE = ("alice", "bob")
PASSWORD = "correct horse battery staple"


def run(*command: str, **options) -> str:
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


class Blocks:
    """The code blocks of a text in Markdown."""

    def __init__(self, text: str) -> None:
        self._blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)

    def of(self, language: str) -> list[str]:
        return [code for found, code in self._blocks if found == language]


class ReadersSite(ServerProcess):
    """A site made with nothing but the wheel and one page of the documentation."""

    name = "site"
    ready_text = "Starting ASGI/Daphne"
    login_path = "/accounts/login/"
    welcome = "Hello, {name}"  # the heading of the page behind it

    def __init__(self, wheel: Path) -> None:
        super().__init__()
        self.folder = self.directory / "mysite"
        self._wheel = wheel
        self._bin = self.directory / "venv" / "bin"
        self.said = ""  # by the command that looks at the settings

    def make(self) -> None:
        """Do what the page says."""
        raise NotImplementedError

    def command(self) -> list[str]:
        address = f"127.0.0.1:{self.port}"
        manage = str(self.folder / "manage.py")
        return [str(self._bin / "python"), manage, "runserver", "--noreload", address]

    def start(self) -> None:
        super().start()
        wait_until(self._answers, "the site to answer", self.ready_seconds)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self.login_path}").is_success
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
            "PATH": f"{self._bin}:{Path(sys.executable).parent}:{env['PATH']}",
            "PIP_FIND_LINKS": found.strip(),
            "PIP_CONSTRAINT": str(constraint),  # this one, whatever else there may be
            "PIP_QUIET": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _follow(self, commands: str, folder: Path, **env: str) -> str:
        """Run what the page says; return what the commands said."""
        return run("sh", "-e", "-c", commands, cwd=folder, env={**self.environment(), **env})

    def _create_superusers(self, command: str) -> None:
        """Run createsuperuser as the page names it, and answer what it asks."""
        for name in PEOPLE:
            answers = f"--no-input --username {name} --email {name}@example.com"
            self._follow(
                f"{command} {answers}", self.folder, DJANGO_SUPERUSER_PASSWORD=PASSWORD
            )


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
for name in {PEOPLE}:
    User.objects.create_user(name, password={PASSWORD!r})
"""


class InstalledSite(ReadersSite):
    """A site that is there already, and gets the package."""

    def _install(
        self, install: str, settings: str, asgi: str | None, urls: str, template: str, look: str
    ) -> None:
        """Do each step of an installation; ``asgi`` is None where there is no such step."""
        run(sys.executable, "-m", "venv", str(self._bin.parent))
        self._follow(install, self.directory)
        self._follow("django-admin startproject mysite\n", self.directory)
        site = self.folder / "mysite"
        add_to_settings(site / "settings.py", SITE_SETTINGS, settings)
        if asgi is not None:
            (site / "asgi.py").write_text(asgi)
        (site / "urls.py").write_text(after_imports(urls, SITE_URLS, "*their_own,"))
        (site / "templates" / "registration").mkdir(parents=True)
        (site / "templates" / "base.html").write_text(
            BASE_TEMPLATE.format(readme=template.replace("...", "<title>My site</title>"))
        )
        (site / "templates" / "home.html").write_text(HOME_TEMPLATE)
        (site / "templates" / "registration" / "login.html").write_text(LOGIN_TEMPLATE)
        self.said = self._follow(look, self.folder)
        self._follow(f"python manage.py shell -c {shlex.quote(SIGN_UP)}", self.folder)


ELLIPSIS = "    # ..."


def add_to_settings(path: Path, theirs: str, block: str) -> None:
    """Put a block, which adds to lists, behind the settings that are there and their own."""
    assert block.count(ELLIPSIS) == 2
    for name in ("INSTALLED_APPS", "MIDDLEWARE"):
        block = block.replace(ELLIPSIS, f"    *theirs[{name!r}],", 1)
    lists = "theirs = {'INSTALLED_APPS': INSTALLED_APPS, 'MIDDLEWARE': MIDDLEWARE}"
    once = "MIDDLEWARE = list(dict.fromkeys(MIDDLEWARE))  # it shows where its own goes"
    path.write_text("\n".join([path.read_text(), theirs, lists, block, once]))


def after_imports(block: str, theirs: str, entry: str) -> str:
    imports, assignment, patterns = block.partition("urlpatterns = ")
    return imports + theirs + assignment + patterns.replace(ELLIPSIS.strip(), entry)


def steps_of_readme() -> str:
    """Return the five steps of an installation with websockets."""
    readme = (ROOT / "README.md").read_text().partition("\n## Install\n")[2]
    return readme.partition("\n### On WSGI\n")[0]


class SiteByReadme(InstalledSite):
    """With websockets, as the README says."""

    def make(self) -> None:
        steps = Blocks(steps_of_readme())
        install, look = steps.of("console")
        settings, asgi, urls = steps.of("python")
        (template,) = steps.of("django")
        self._install(install, settings, asgi, urls, template, look)


class SiteOnWsgi(InstalledSite):
    """On a WSGI server, as docs/install-wsgi.md says: tabs ask now and then."""

    ready_text = "Starting development server"

    def make(self) -> None:
        steps = Blocks((ROOT / "docs" / "install-wsgi.md").read_text())
        install, look = steps.of("console")
        settings, urls, ask_more_often = steps.of("python")
        (template,) = steps.of("django")
        self._install(install, settings + ask_more_often, None, urls, template, look)


class SiteByTutorial(ReadersSite):
    """A site that begins as an empty folder, as the tutorial does."""

    def make(self) -> None:
        tutorial = Blocks((ROOT / "docs" / "tutorial.md").read_text())
        begin, watch = tutorial.of("console")
        settings, asgi, urls, _chat = tutorial.of("python")
        home, login = tutorial.of("django")

        self._follow(begin, self.directory)
        site = self.folder / "mysite"
        self._write_settings(site / "settings.py", settings)
        (site / "asgi.py").write_text(asgi)
        (site / "urls.py").write_text(urls)
        (self.folder / "templates" / "registration").mkdir(parents=True)
        (self.folder / "templates" / "home.html").write_text(home)
        (self.folder / "templates" / "registration" / "login.html").write_text(login)

        migrate, create_superuser, runserver = watch.splitlines()
        self._follow(migrate, self.folder)
        self._create_superusers(create_superuser)
        assert runserver == "python manage.py runserver"  # see command()
        self.said = self._follow("python manage.py check", self.folder)

    def _write_settings(self, path: Path, block: str) -> None:
        named = r"\1[BASE_DIR / 'templates']"
        made, times = re.subn(r"(.DIRS.: )\[\]", named, path.read_text())
        assert times == 1
        path.write_text(made + block)
