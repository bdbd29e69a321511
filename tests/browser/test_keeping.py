"""Drafts and fragments: kept in the tab for the same user, and for nobody else."""

import re

import pytest
from playwright.async_api import expect

from tests.helpers.visitor import PAGE, dialog, is_told, shows
from tests.site.people import PASSWORD

KEEPER = "/static/live_single_session/live-single-session-keep.js"
FIELDS = """
    <form><input name="title"><input name="secret" type="password">
    <input name="card" autocomplete="cc-number"><input name="agreed" type="checkbox"></form>
"""


@pytest.fixture
def keeping(visitor):
    """The site asks its pages to keep drafts, for whoever is signed in."""

    def change(answer: str) -> str:
        user = re.search(r'id="user">(\w+)<', answer)
        owner = user[1] if user else ""
        options = f'data-keep-drafts="{owner}" data-keep-fragment'
        script = f'<script defer src="{KEEPER}" {options}></script>'
        answer = answer.replace("</head>", f"{script}</head>")
        return answer.replace(
            '<textarea id="draft"', f'{FIELDS}<textarea id="draft" name="draft"'
        )

    visitor.front.edits[PAGE] = change


async def test_what_was_typed_is_given_back_to_its_user(visitor, sign_in_elsewhere, keeping):
    page = await _left(visitor, sign_in_elsewhere)
    await expect(dialog(page)).to_contain_text("What you typed is kept in this tab")
    assert await dialog(page).locator("details").count() == 0

    await _sign_in_again(page, "alice")

    await shows(page, "alice")
    await expect(page.locator("#draft")).to_have_value("two hours of work")
    await expect(page.locator("[name=title]")).to_have_value("On time")
    await expect(page.locator("[name=agreed]")).to_be_checked()
    await expect(page.locator("[name=secret]")).to_have_value("")
    await expect(page.locator("[name=card]")).to_have_value("")
    await page.reload()
    await expect(page.locator("#draft")).to_have_value("")  # it is given once


async def test_what_was_typed_is_never_given_to_another_user(
    visitor, sign_in_elsewhere, keeping
):
    page = await _left(visitor, sign_in_elsewhere)

    await _sign_in_again(page, "bob")

    await shows(page, "bob")
    await expect(page.locator("#draft")).to_have_value("")
    stored = await page.evaluate("JSON.stringify(sessionStorage)")
    assert "two hours" not in stored


async def test_it_is_kept_for_a_while_only(visitor, sign_in_elsewhere, keeping):
    page = await _left(visitor, sign_in_elsewhere)
    await page.evaluate("""
        const key = "live-single-session drafts";
        const kept = JSON.parse(sessionStorage.getItem(key));
        sessionStorage.setItem(key, JSON.stringify({ ...kept, at: kept.at - 3601 * 1000 }));
    """)

    await _sign_in_again(page, "alice")

    await shows(page, "alice")
    await expect(page.locator("#draft")).to_have_value("")


async def test_nothing_is_kept_where_the_site_has_not_asked_for_it(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("#draft").fill("two hours of work")
    await sign_in_elsewhere()
    await is_told(page)

    assert "two hours" not in await page.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_fragment_stays_in_the_browser(visitor, sign_in_elsewhere, request, is_kept):
    """It may hold a key, and would stand in the server's log."""
    if is_kept:
        request.getfixturevalue("keeping")
    page = await visitor.open(f"{PAGE}#key=abc")
    await sign_in_elsewhere()
    await is_told(page)

    await _sign_in_again(page, "alice")

    await shows(page, "alice")
    assert not [path for path in visitor.front.asked if "abc" in path]
    await page.wait_for_function(
        "expected => location.hash === expected", arg="#key=abc" if is_kept else ""
    )


async def _left(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await page.locator("[name=title]").fill("On time")
    await page.locator("[name=secret]").fill("hunter2")
    await page.locator("[name=card]").fill("4111111111111111")
    await page.locator("[name=agreed]").check()
    await page.locator("#draft").fill("two hours of work")
    await sign_in_elsewhere()
    await is_told(page)
    return page


async def _sign_in_again(page, name: str) -> None:
    await dialog(page).get_by_role("link", name="Sign in again").click()
    await page.wait_for_url("**/accounts/login/**")
    await page.locator("#id_username").fill(name)
    await page.locator("#id_password").fill(PASSWORD)
    await page.locator("#sign-in").click()
