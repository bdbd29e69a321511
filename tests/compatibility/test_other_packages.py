"""Beside other people's packages: their logins count as any other, and no more than that."""

import asyncio
import base64
import hashlib
import hmac
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.helpers.people import Person, close_code, hear, people
from tests.servers.daphne import Daphne
from tests.servers.process import ROOT
from tests.site.people import PASSWORD, credentials

PATIENCE = 120  # seconds; a test that gets there has failed

SECRET = "JBSWY3DPEHPK3PXP"
ADD_SECOND_FACTOR = f"""
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
TOTP.activate(User.objects.get(username="bob"), {SECRET!r})
"""


class Site:
    """The test site with the settings of one module of `tests.compatibility.packages`."""

    def __init__(self, settings: str, folder: Path, start: Callable[..., Daphne]) -> None:
        self._env = {
            "DJANGO_SETTINGS_MODULE": f"tests.compatibility.packages.{settings}",
            "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
            "STATIC_ROOT": str(folder / "static"),
        }
        self.run("django", "migrate", "--run-syncdb", "--verbosity=0")
        self.run("tests.site.people")
        self._start = start

    def run(self, *module: str) -> str:
        command = [sys.executable, "-m", *module]
        env = {**os.environ, **self._env}
        return subprocess.run(command, cwd=ROOT, env=env, check=True, text=True).stdout

    def start(self) -> Daphne:
        return self._start(**self._env)


@pytest.fixture
def site_with(tmp_path: Path, start_daphne: Callable[..., Daphne]) -> Callable[[str], Site]:
    return lambda settings: Site(settings, tmp_path, start_daphne)


async def submit(person: Person, path: str, **fields: str) -> httpx.Response:
    """Fill in the form of a page, and follow where it leads."""
    page = await person.http.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text
    return await person.http.post(
        str(page.url),
        data={"csrfmiddlewaretoken": token[1], **fields},
        headers={"Accept": "text/html", "Referer": str(page.url)},
        follow_redirects=True,
    )


@pytest.mark.drives(
    "pages of allauth: sign-ins, a provider, second factors",
    "nothing",
    "django-allauth",
)
async def test_django_allauth(site_with) -> None:
    site = site_with("allauth")
    site.run("django", "shell", "-c", ADD_SECOND_FACTOR)
    daphne = site.start()
    async with (
        asyncio.timeout(PATIENCE),
        people(daphne, "alice", "alice", "bob", "bob", "alice") as everybody,
    ):
        old, new, bob, other_bob, by_provider = everybody
        await allauth_sign_in(old)
        async with old.tab() as tab:
            page = await allauth_sign_in(new)
            assert page.url.path == "/private/"
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
        page = await old.http.get("/private/", headers={"Accept": "text/html"})
        assert page.headers["Location"].startswith("/auth/login/?next=/private/")

        # Somebody else's word for who it is.
        async with new.tab() as tab:
            asked = await submit(by_provider, "/auth/dummy/login/")
            who = {"id": "7", "email": "alice@example.com", "email_verified": "on"}
            await submit(by_provider, str(asked.url), **who)
            assert await by_provider.name_seen_by_site() == "alice"
            # allauth takes away the password of somebody whose address nobody had verified.
            assert (await hear(tab))["reason"] == "password_changed"

        # Half a sign-in ends nothing.
        page = await allauth_sign_in(bob)
        assert page.url.path == "/auth/2fa/authenticate/"
        page = await submit(bob, str(page.url), code=_totp())
        assert await bob.name_seen_by_site() == "bob"
        async with bob.tab() as tab:
            page = await allauth_sign_in(other_bob)
            assert page.url.path == "/auth/2fa/authenticate/"
            assert await other_bob.name_seen_by_site() is None
            assert await bob.name_seen_by_site() == "bob"
            await tab.ping()

            # The other half ends the first, as any sign-in.
            await submit(other_bob, str(page.url), code=_totp(later=1))
            assert await other_bob.name_seen_by_site() == "bob"
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
            assert await bob.name_seen_by_site() is None


async def allauth_sign_in(person: Person) -> httpx.Response:
    return await submit(person, "/auth/login/", login=person.name, password=PASSWORD)


def _totp(later: int = 0) -> str:
    """The code of now or of a period to come: each is good once."""
    counter = int(time.time()) // 30 + later
    key = base64.b32decode(SECRET)
    digest = hmac.new(key, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


@pytest.mark.drives(
    "lock-out after wrong passwords, static files with hashed names",
    "nothing",
    "django-axes",
    "whitenoise",
)
async def test_django_axes_and_whitenoise(site_with, tmp_path) -> None:
    site = site_with("axes")
    site.run("django", "collectstatic", "--no-input", "--verbosity=0")
    daphne = site.start()
    async with (
        asyncio.timeout(PATIENCE),
        people(daphne, "alice", "alice", "alice") as (old, new, guesser),
    ):
        await submit(old, "/accounts/login/", **credentials("alice"))
        async with old.tab() as tab:
            # Who guesses is locked out, and signs nobody else out.
            for _ in range(3):
                wrong = {"username": "alice", "password": "wrong"}
                refused = await submit(guesser, "/accounts/login/", **wrong)
            assert refused.status_code == 429
            refused = await submit(guesser, "/accounts/login/", **credentials("alice"))
            assert refused.status_code == 429
            assert await old.name_seen_by_site() == "alice"

            site.run("django", "axes_reset")
            page = await submit(new, "/accounts/login/", **credentials("alice"))
            assert (await hear(tab))["reason"] == "superseded"

        # The script has the hashed name that whitenoise keeps for ever, and is compressed.
        script = re.search(
            r'src="(/static/live_single_session/[^"]+\.[0-9a-f]{12}\.js)"', page.text
        )
        assert script, page.text
        answer = await new.http.get(script[1], headers={"Accept-Encoding": "gzip"})
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "session.ended" in answer.text


@pytest.mark.drives(
    "the login page of its editors",
    "nothing",
    "wagtail",
)
async def test_wagtail(site_with) -> None:
    daphne = site_with("wagtail").start()
    async with (
        asyncio.timeout(PATIENCE),
        people(daphne, "carol", "carol") as (old, new),
    ):
        page = await submit(old, "/cms/login/", **credentials("carol"))
        assert page.url.path == "/cms/"
        async with old.tab() as tab:
            page = await submit(new, "/cms/login/", **credentials("carol"))
            assert page.url.path == "/cms/"
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
        page = await old.http.get("/cms/", headers={"Accept": "text/html"})
        assert page.headers["Location"] == "/cms/login/?next=/cms/&ended=superseded"
        assert (await new.http.get("/cms/account/")).status_code == 200


@pytest.mark.drives(
    "the login of the admin, and staff who act as a user",
    "an exemption, see [recipes](recipes.md)",
    "django-hijack",
)
async def test_admin_and_django_hijack(site_with) -> None:
    daphne = site_with("hijack").start()
    async with (
        asyncio.timeout(PATIENCE),
        people(daphne, "carol", "carol", "alice", "alice") as (old, staff, alice, other_alice),
    ):
        await submit(old, "/admin/login/?next=/admin/", **credentials("carol"))
        async with old.tab() as tab:
            page = await submit(staff, "/admin/login/?next=/admin/", **credentials("carol"))
            assert page.url.path == "/admin/"
            assert (await hear(tab))["reason"] == "superseded"
            assert await close_code(tab) == 4001
        page = await old.http.get("/admin/", headers={"Accept": "text/html"})
        assert page.headers["Location"] == "/admin/login/?next=/admin/&ended=superseded"

        # Whoever looks at the site through her eyes doesn't sign her out.
        await alice.sign_in()
        async with alice.tab() as tab:
            page = await staff.http.get("/admin/auth/user/?q=alice")
            found = re.search(r"/admin/auth/user/(\d+)/change/", page.text)
            assert found, page.text
            token = staff.http.cookies["csrftoken"]
            who = {"user_pk": found[1], "csrfmiddlewaretoken": token}
            await staff.http.post("/hijack/acquire/", data=who)
            assert await staff.name_seen_by_site() == "alice"
            assert await alice.name_seen_by_site() == "alice"

            await other_alice.sign_in()
            told = await hear(tab)  # for the first time
            assert (told["reason"], told["by"] is None) == ("superseded", False)
            assert await staff.name_seen_by_site() == "alice"
