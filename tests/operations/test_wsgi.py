"""Invariant 4 on plain WSGI: no daphne, no channel layer, no websocket; tabs poll."""

import json

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.servers.web_servers import Gunicorn
from tests.site.people import credentials

PATIENCE = 30_000  # ms; a test that gets there has failed


@pytest.fixture(scope="module")
def site(site_databases):
    databases = site_databases("sqlite")
    name = databases.create()
    env = {
        "DATABASE_URL": databases.url(name),
        "DJANGO_SETTINGS_MODULE": "tests.operations.wsgi_settings",
    }
    gunicorn = Gunicorn("tests.wsgi:application", env)
    try:
        gunicorn.start()
        yield gunicorn
    finally:
        gunicorn.close()
        databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(site, new_browser_context):
    """`await open_tab("alice")`: the private page of somebody who has just signed in."""

    async def open_tab(name):
        context = await new_browser_context()
        data = json.dumps(credentials(name))
        assert (await context.request.post(f"{site.url}/api/login/", data=data)).ok
        page = await context.new_page()
        page.tried = []
        page.on("websocket", lambda socket: page.tried.append(socket.url))
        await page.goto(f"{site.url}/private/")
        return page

    yield open_tab
    print(f"gunicorn printed:\n{site.log[-8000:]}")


async def test_inv4_an_open_tab_is_told_by_polling(open_tab, browser):
    old, bobs = await open_tab("alice"), await open_tab("bob")

    new = await open_tab("alice")

    dialog = old.get_by_role("alertdialog")
    await expect(dialog).to_be_visible(timeout=PATIENCE)
    await expect(dialog).to_contain_text("signed in")
    for live in (new, bobs):
        async with live.expect_response("**/session/status/**") as answer:
            pass  # it goes on asking
        assert (await (await answer.value).json())["live"]
        await expect(live.get_by_role("alertdialog")).to_have_count(0)
    assert old.tried == new.tried == bobs.tried == []


async def test_inv2_the_ended_session_is_signed_out(open_tab, browser, site):
    old = await open_tab("alice")
    await open_tab("alice")

    answer = await old.context.request.get(
        f"{site.url}/api/private/", headers={"accept": "application/json"}
    )

    assert answer.status == 401
    assert (await answer.json())["code"] == "session_ended"


async def test_the_tag_names_no_socket(open_tab, browser):
    page = await open_tab("bob")
    script = page.locator("script[data-status]")
    assert await script.get_attribute("data-socket") is None
    assert await script.get_attribute("data-recheck") == "0.5"
