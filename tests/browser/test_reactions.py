"""What a page does at the end: the event, and what the site has asked for."""

import pytest
from playwright.async_api import expect

from tests.helpers.visitor import (
    PAGE,
    WRITE_DOWN_EVENTS,
    dialog,
    events_of,
    is_told,
    session_of,
)
from tests.servers.waiting import await_until


async def test_the_event_carries_the_frame(visitor, sign_in_elsewhere):
    page = await _page_that(visitor, "dialog")
    session = await session_of(page)

    await sign_in_elsewhere()
    await is_told(page)

    [event] = await events_of(page)
    assert event["name"] == "ended"
    assert event["cancelable"]
    told = {"type": "session.ended", "session": session, "reason": "superseded"}
    assert event["detail"].items() >= {**told, "signed_in": False}.items()


@pytest.mark.parametrize("on_ended", ["dialog", "redirect", "reload"])
async def test_a_cancelled_event_leaves_it_all_to_the_site(
    visitor, sign_in_elsewhere, on_ended
):
    page = await _page_that(visitor, on_ended)
    await page.evaluate("window.cancels = ['ended']; window.untouched = true")

    await sign_in_elsewhere()

    await await_until(lambda: events_of(page), "the event")
    await _stays_as_it_is(visitor, page)


async def test_on_ended_none_does_no_more_than_the_event(visitor, sign_in_elsewhere):
    page = await _page_that(visitor, "none")
    await page.evaluate("window.untouched = true")

    await sign_in_elsewhere()

    await await_until(lambda: events_of(page), "the event")
    await _stays_as_it_is(visitor, page)


async def test_on_ended_redirect_goes_to_the_login_page_with_the_reason(
    visitor, sign_in_elsewhere
):
    page = await _page_that(visitor, "redirect")

    await sign_in_elsewhere()

    await page.wait_for_url("**/accounts/login/?next=%2Fprivate%2F&ended=superseded")


async def test_on_ended_reload_lets_the_server_tell(visitor, sign_in_elsewhere):
    page = await _page_that(visitor, "reload")

    await sign_in_elsewhere()

    await page.wait_for_url("**/accounts/login/?next=/private/&ended=superseded")
    await expect(page.locator(".message")).to_contain_text("so you were signed out here")


async def test_a_draft_can_be_saved_in_time(visitor, sign_in_elsewhere):
    """The recipe of docs/script.md."""
    page = await _page_that(visitor, "reload")
    await page.evaluate("""
        document.addEventListener("live-single-session:ended", () => {
          for (const field of document.querySelectorAll("textarea")) {
            localStorage.setItem(`draft ${location.pathname} ${field.id}`, field.value);
          }
        });
    """)
    await page.locator("#draft").fill("two hours of work")

    await sign_in_elsewhere()

    await page.wait_for_url("**/accounts/login/**")
    saved = await page.evaluate("localStorage.getItem('draft /private/ draft')")
    assert saved == "two hours of work"


async def _page_that(visitor, on_ended: str):
    if on_ended != "dialog":
        visitor.front.edit(PAGE, 'data-on-ended="dialog"', f'data-on-ended="{on_ended}"')
    await visitor.context.add_init_script(WRITE_DOWN_EVENTS)
    return await visitor.open()


async def _stays_as_it_is(visitor, page) -> None:
    await visitor.glance_at(page)
    assert page.url.endswith(PAGE)
    assert await page.evaluate("window.untouched")
    assert not await dialog(page).count()
    assert len(await events_of(page)) == 1
