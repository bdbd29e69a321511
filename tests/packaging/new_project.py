"""A project that has only just been started, and whoever made it has read README alone."""

import sys

from tests.packaging.readers import (
    Blocks,
    ReadersSite,
    add_to_settings,
    after_imports,
    run,
    steps_of_readme,
)
from tests.servers.process import ROOT

README = (ROOT / "README.md").read_text()
ON_WSGI = README.partition("\n### On WSGI\n")[2].partition("\n### ")[0]
IN_A_NEW_PROJECT = README.partition("\n### In a new project\n")[2].partition("\n## ")[0]

# What `startproject` has put into urls.py.
URLS = "from django.contrib import admin\n"
ADMIN = 'path("admin/", admin.site.urls),'


class NewProject(ReadersSite):
    """With websockets."""

    login_path = "/admin/login/?next=/admin/"
    welcome = "Site administration"

    def make(self) -> None:
        steps = Blocks(steps_of_readme())
        install, look = steps.of("console")
        settings, asgi, urls = steps.of("python")
        run(sys.executable, "-m", "venv", str(self._bin.parent))
        self._follow(self._changed_install(install), self.directory)
        self._follow("django-admin startproject mysite\n", self.directory)
        site = self.folder / "mysite"
        add_to_settings(site / "settings.py", "", self._changed_settings(settings))
        self._write_asgi(asgi)
        (site / "urls.py").write_text(URLS + after_imports(urls, "", ADMIN))
        self._write_template()
        self.said = self._follow(look, self.folder)
        create, start = Blocks(IN_A_NEW_PROJECT).of("console")[0].splitlines()
        assert start == "python manage.py runserver"  # see command()
        self._create_superusers(create)

    def _changed_install(self, install: str) -> str:
        return install

    def _changed_settings(self, settings: str) -> str:
        (more,) = Blocks(IN_A_NEW_PROJECT).of("python")
        return settings + more

    def _write_asgi(self, asgi: str) -> None:
        (self.folder / "mysite" / "asgi.py").write_text(asgi)

    def _write_template(self) -> None:
        (template,) = Blocks(IN_A_NEW_PROJECT).of("django")
        path = self.folder / "templates" / "admin" / "base_site.html"
        path.parent.mkdir(parents=True)
        path.write_text(template)


class NewProjectOnWsgi(NewProject):
    """Without them: what README says to leave out is left out."""

    ready_text = "Starting development server"

    def _changed_install(self, install: str) -> str:
        return install.replace("[daphne,redis]", "")

    def _changed_settings(self, settings: str) -> str:
        left_out = ('"daphne"', '"channels"', "ASGI_APPLICATION", "CHANNEL_LAYERS")
        assert all(name.strip('"') in ON_WSGI for name in left_out)
        kept = [line for line in settings.splitlines() if not line.strip().startswith(left_out)]
        (polling,) = Blocks(ON_WSGI).of("python")
        return super()._changed_settings("\n".join([*kept, polling]))

    def _write_asgi(self, asgi: str) -> None:
        pass
