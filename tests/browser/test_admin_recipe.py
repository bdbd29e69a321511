"""An old tab of Django's admin is told, with nothing but the code of docs/people.md."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.docs.pages import block_with
from tests.site.people import PASSWORD, STAFF

SETTINGS = """
from tests.settings import *

TEMPLATES[0]["DIRS"] = [{templates!r}]
{recipe}
"""


@pytest.fixture
def admin_site(tmp_path, start_daphne, site_database):
    """A site that has the recipe's template and settings, and whose login is the admin's."""
    folder = tmp_path / "templates" / "admin"
    folder.mkdir(parents=True)
    (folder / "base_site.html").write_text(block_with("admin/base_site.html", "people.md"))
    recipe = block_with("LOGIN_URL", "people.md")
    text = SETTINGS.format(templates=str(folder.parent), recipe=recipe)
    (tmp_path / "admin_recipe.py").write_text(text)
    return start_daphne(
        DATABASE_URL=site_database("sqlite"),
        DJANGO_SETTINGS_MODULE="admin_recipe",
        PYTHONPATH=f"{tmp_path}:.",
    )


async def sign_in(page):
    await page.locator("#id_username").fill(STAFF)
    await page.locator("#id_password").fill(PASSWORD)
    await page.locator("[type=submit]").click()


async def test_inv4_an_old_tab_of_the_admin_is_told(admin_site, new_browser_context):
    add = f"{admin_site.url}/admin/auth/group/add/"
    old = await (await new_browser_context()).new_page()
    await old.goto(add)
    await sign_in(old)
    await old.locator("#id_name").fill("Editors")
    new = await (await new_browser_context()).new_page()
    await new.goto(f"{admin_site.url}/admin/")
    await sign_in(new)
    await expect(new.get_by_role("link", name="Where you are signed in")).to_be_visible()

    dialog = old.get_by_role("alertdialog")
    await expect(dialog).to_be_visible()
    await expect(old.locator("#id_name")).to_have_value("Editors")

    await dialog.get_by_role("link", name="Sign in again").click()
    await expect(old.get_by_text(re.compile("signed out here"))).to_be_visible()
    address = urlsplit(old.url)
    assert address.path == "/admin/login/"
    assert parse_qs(address.query)["next"] == ["/admin/auth/group/add/"]
    await sign_in(old)
    await old.wait_for_url(add)
    await expect(new.get_by_role("alertdialog")).to_be_visible()
