"""The recipes of `CONFIRM` and of changed factors, with the packages that they are for."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compatibility.test_other_packages import (
    ADD_SECOND_FACTOR,
    PATIENCE,
    Site,
    _totp,
    allauth_sign_in,
    submit,
)
from tests.helpers.people import hear, people
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD, credentials

PAGE = {"Accept": "text/html"}
ADD_CODES = """
from django.contrib.auth.models import User
from django_otp.plugins.otp_static.models import StaticDevice
device = StaticDevice.objects.create(user=User.objects.get(username="alice"), name="codes")
for code in ("one", "two", "three", "four"):
    device.token_set.create(token=code)
"""
OTHERS = "/session/end-others/"


@pytest.fixture
def site_that_confirms(
    tmp_path: Path, start_daphne: Callable[..., Daphne], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Site]:
    def site(by: str) -> Site:
        monkeypatch.setenv("CONFIRM", by)
        return Site("confirmed", tmp_path, start_daphne)

    return site


async def test_allauth_asks_on_its_own_page(site_that_confirms) -> None:
    daphne = site_that_confirms("by_allauth").start()
    async with asyncio.timeout(PATIENCE), people(daphne, "alice", "alice") as (owner, other):
        for person in (owner, other):
            await allauth_sign_in(person)
        async with other.tab() as tab:
            asked = await owner.http.get(OTHERS, headers=PAGE, follow_redirects=True)
            assert asked.url.path == "/auth/reauthenticate/"
            assert await other.name_seen_by_site() == "alice"

            page = await submit(owner, str(asked.url), password=PASSWORD)
            assert page.url.path == OTHERS
            page = await submit(owner, OTHERS)
            assert page.url.path == "/session/"
            assert (await hear(tab))["reason"] == "revoked"
        assert await owner.name_seen_by_site() == "alice"


async def test_a_second_factor_that_changes_ends_the_others(site_that_confirms) -> None:
    site = site_that_confirms("by_allauth")
    site.run("django", "shell", "-c", ADD_SECOND_FACTOR)
    daphne = site.start()
    async with asyncio.timeout(PATIENCE), people(daphne, "bob", "bob") as (owner, other):
        for later, person in enumerate((owner, other)):
            page = await allauth_sign_in(person)
            await submit(person, str(page.url), code=_totp(later))
            assert await person.name_seen_by_site() == "bob"
        async with other.tab() as tab:
            page = await submit(owner, "/auth/2fa/totp/deactivate/")
            if page.url.path == "/auth/reauthenticate/":
                page = await submit(owner, str(page.url), password=PASSWORD)
                await submit(owner, "/auth/2fa/totp/deactivate/")
            assert (await hear(tab))["reason"] == "revoked"
        assert await owner.name_seen_by_site() == "bob"


async def test_django_otp_asks_for_a_code(site_that_confirms) -> None:
    site = site_that_confirms("by_code")
    site.run("django", "shell", "-c", ADD_CODES)
    daphne = site.start()
    async with asyncio.timeout(PATIENCE), people(daphne, *["alice"] * 3) as everybody:
        owner, other, newcomer = everybody
        for person in (owner, other):
            await person.sign_in()
        page = await submit(owner, OTHERS, code="wrong")
        assert 'name="code"' in page.text
        assert await other.name_seen_by_site() == "alice"

        # With the password alone nobody takes over, and what was picked is not lost.
        question = await submit(newcomer, "/accounts/login/", **credentials("alice"))
        assert question.url.path == "/session/choose/"
        first, _ = re.findall(r'name="end" value="([^"]+)"', question.text)
        page = await submit(newcomer, "/session/choose/", choice="continue", end=first)
        assert f'name="end" value="{first}"' in page.text
        assert await newcomer.name_seen_by_site() is None
        await asyncio.sleep(2)  # django-otp waits for a second after a wrong code
        picked = {"choice": "continue", "end": first, "code": "one"}
        await submit(newcomer, "/session/choose/", **picked)
        assert await newcomer.name_seen_by_site() == "alice"
        assert [await p.name_seen_by_site() for p in (owner, other)] in (
            ["alice", None],
            [None, "alice"],
        )

        await submit(newcomer, OTHERS, code="two")
        assert [await p.name_seen_by_site() for p in (owner, other)] == [None, None]
