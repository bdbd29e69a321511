"""Real htmx, 2 and 4: whoever clicks on a page of an ended session is then told why."""

import json

import pytest
from playwright.async_api import expect

from tests.helpers.browsers import FIREFOX
from tests.servers.npm import npm
from tests.site.people import PASSWORD

SETTINGS = """
from tests.settings import *
TEMPLATES[0]["DIRS"] = [{folder!r}, *TEMPLATES[0]["DIRS"]]
STATICFILES_DIRS = [{folder!r}]
"""
# Without the package's script: it would cover the page before anybody clicks.
PAGE = """
<!doctype html>
<html lang="en"><head><title>A page</title><script src="/static/htmx.js"></script></head>
<body>
  <b id="user">{{ user.get_username }}</b>
  <button hx-get="/api/private/" hx-target="#piece">Click</button>
  <a href="/private/?x=1" hx-boost="true">Boosted</a>
  <p id="piece">Nothing</p>
</body></html>
"""


# With it, and with a poll that may be told before the socket is.
POLL = '<textarea id="draft"></textarea><p hx-trigger="every 200ms" hx-get="/api/private/" '
POLLING = "{% load live_single_session %}" + PAGE.lstrip().replace("<p ", POLL).replace(
    "</head>", "{% live_single_session %}</head>"
)


@pytest.fixture
def page_of_site():
    return PAGE


@pytest.fixture(params=["2", "4"])
def site(request, page_of_site, tmp_path, start_daphne, site_database):
    """The test site, whose private page has htmx in it."""
    script = npm(f"htmx{request.param}", f"htmx.org@{request.param}") / "dist" / "htmx.min.js"
    (tmp_path / "htmx.js").write_text(script.read_text())
    (tmp_path / "private.html").write_text(page_of_site)
    (tmp_path / "with_htmx.py").write_text(SETTINGS.format(folder=str(tmp_path)))
    return start_daphne(
        DATABASE_URL=site_database("sqlite"),
        DJANGO_SETTINGS_MODULE="with_htmx",
        PYTHONPATH=f"{tmp_path}:.",
    )


async def sign_in(site, context):
    answer = await context.request.post(
        f"{site.url}/api/login/",
        data=json.dumps({"username": "alice", "password": PASSWORD}),
    )
    assert answer.ok


@pytest.mark.parametrize(
    ("click", "back"),
    [("button", "/private/%3Ftab%3D2"), ("a", "/private/%3Fx%3D1")],
    ids=["a piece of the page", "boosted"],
)
async def test_inv4_a_click_leads_to_the_login_page(site, new_browser_context, click, back):
    old, new = await new_browser_context(), await new_browser_context(user_agent=FIREFOX)
    await sign_in(site, old)
    page = await old.new_page()
    await page.goto(f"{site.url}/private/?tab=2#key=secret")
    await sign_in(site, new)

    await page.locator(click).click()

    await expect(page.get_by_text("so you were signed out here")).to_be_visible()
    assert page.url == f"{site.url}/accounts/login/?next={back}&ended=superseded"


@pytest.mark.parametrize("page_of_site", [POLLING], ids=["polling"])
async def test_inv4_a_poll_leaves_the_page_and_what_was_typed_under_the_dialog(
    site, new_browser_context
):
    old, new = await new_browser_context(), await new_browser_context(user_agent=FIREFOX)
    await sign_in(site, old)
    page = await old.new_page()
    await page.goto(f"{site.url}/private/")
    await page.locator("#draft").fill("Not saved")
    await expect(page.locator("#piece")).to_contain_text("alice")
    await sign_in(site, new)

    await expect(page.get_by_role("alertdialog")).to_be_visible()
    async with page.expect_response("**/api/private/"):
        pass  # another poll
    await expect(page.locator("#draft")).to_have_value("Not saved")
    await expect(page.get_by_role("alertdialog")).to_be_visible()
