"""Walking from one deployment to the next, with people who use the site all the while."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.servers.daphne import Daphne
from tests.servers.process import ROOT
from tests.servers.web_servers import Gunicorn
from tests.site.people import PASSWORD

SETTINGS = "tests.operations.moving.settings"
NEW = {"STAGE": "new"}


class Browser:
    """Somebody's browser. Nothing that it asks for may be answered with a 5xx."""

    def __init__(self, site: Daphne, name: str) -> None:
        self.name = name
        self.url = site.url
        self.cookies = httpx.Cookies()

    def at(self, site: Daphne) -> "Browser":
        """Go on at another process of the site, with the same cookies."""
        self.url = site.url
        return self

    def ask(self, method: str, path: str, **data: str) -> httpx.Response:
        with httpx.Client(base_url=self.url, cookies=self.cookies, timeout=60) as http:
            answer = http.request(method, path, json=data or None)
            self.cookies = http.cookies
        assert answer.status_code < 500, f"{path} of {self.name}: {answer.text[-2000:]}"
        return answer

    def sign_in(self) -> "Browser":
        answer = self.ask("POST", "/async/api/login/", username=self.name, password=PASSWORD)
        assert answer.status_code == 200, answer.text
        return self

    def sign_out(self) -> None:
        self.ask("POST", "/api/logout/")
        assert not self.is_signed_in

    def change_password(self) -> None:
        assert self.ask("POST", "/password/", password=f"{PASSWORD} 2").status_code == 200
        assert self.is_signed_in

    @property
    def is_signed_in(self) -> bool:
        return self.ask("GET", "/async/whoami/").json()["user"] == self.name


class Walk:
    """One site, its database, and the processes of it that run at a time."""

    def __init__(self, database_url: str, folder: Path, **env: str) -> None:
        self.env = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": SETTINGS, **env}
        self.folder = folder
        self._stack = ExitStack()
        self._names: Iterator[str] = iter(())

    def __enter__(self) -> "Walk":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def manage(self, *arguments: str, stdin: str = "", **env: str) -> str:
        """Run `manage.py` with the settings of a stage."""
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env, "PYTHONPATH": path, **env},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write(self, code: str) -> None:
        """Save a block that names its file in its first line."""
        path = self.folder / code.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)

    def start(self, kind: type[Daphne] = Gunicorn, **env: str) -> Daphne:
        """Deploy: start a process, beside those that run already."""
        application = "tests.asgi" if kind is Daphne else "tests.wsgi"
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        server = kind(f"{application}:application", {**self.env, "PYTHONPATH": path, **env})
        self._stack.callback(server.close)
        server.start()
        self._stack.callback(lambda: print(f"{env} printed:\n{server.log[-6000:]}"))
        return server

    def sign_up(self, number: int, **env: str) -> None:
        """Give the site so many users; each is used once, see `everything_works_at()`."""
        names = [f"user{n}" for n in range(number)]
        self.manage(
            "shell",
            stdin="from django.contrib.auth.models import User\n"
            f"for name in {names}: User.objects.create_user(name, password={PASSWORD!r})\n",
            **env,
        )
        self._names = iter(names)

    def browser(self, site: Daphne) -> Browser:
        return Browser(site, next(self._names))

    def somebody(self, site: Daphne) -> list[Browser]:
        """Return four users, signed in at a process of the site."""
        return [self.browser(site).sign_in() for _ in range(4)]

    def everything_works(self, site: Daphne, people: list[Browser]) -> None:
        """People who were signed in do there what people do, and one is deleted."""
        moves, leaves, changes, goes = [person.at(site) for person in people]
        for person in people:
            assert person.is_signed_in
        elsewhere = Browser(site, moves.name).sign_in()
        assert elsewhere.is_signed_in
        assert not moves.is_signed_in
        moves.sign_in()
        leaves.sign_out()
        leaves.sign_in()
        changes.change_password()
        assert goes.ask("POST", "/delete-me/").status_code == 200
        assert not goes.is_signed_in
