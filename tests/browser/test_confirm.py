"""Somebody has stolen a session: without the password it ends no other."""

import pytest
from playwright.async_api import expect

from tests.helpers.browsers import FIREFOX, SAFARI
from tests.helpers.front import Front
from tests.helpers.visitor import Visitor, dialog, is_told
from tests.site.people import PASSWORD

SETTINGS = {"LIMIT": 3, "CONFIRM": "live_single_session.confirm.password"}


@pytest.fixture
def site(start_daphne, site_database, redis):
    return start_daphne(
        DATABASE_URL=site_database("postgres"),
        CHANNEL_LAYER="redis",
        REDIS_URL=redis.url,
        CACHE_URL=redis.url,
        LIVE_SINGLE_SESSION=SETTINGS,
    )


async def test_a_thief_ends_nobody_and_the_owner_ends_the_thief(site, new_browser_context):
    front = Front(site.port)
    await front.open()
    laptop = Visitor(await new_browser_context(user_agent=FIREFOX), front)
    phone = Visitor(await new_browser_context(user_agent=SAFARI), front)
    for owner in (laptop, phone):
        await owner.sign_in()
    stolen = await phone.context.cookies()
    thief = Visitor(await new_browser_context(), front)
    await thief.context.add_cookies(stolen)
    owners, thiefs = await laptop.open(), await thief.open("/session/")

    await thiefs.locator("#end-others").click()
    for _ in range(6):
        if not await thiefs.locator("#password").count():
            break
        await thiefs.locator("#password").fill("guess")
        await thiefs.get_by_role("button", name="Sign out").click()
        await expect(thiefs.get_by_role("alert")).to_be_visible()
    await expect(thiefs.get_by_role("alert")).to_contain_text("Too many tries")
    assert not await dialog(owners).count()
    assert (await laptop.context.request.get(front.url + "/whoami/")).ok

    # The owner isn't locked out, and ends the stolen session with the password.
    await owners.goto(front.url + "/session/end-others/")
    await owners.locator("#password").fill(PASSWORD)
    await owners.locator("#password").press("Enter")
    await owners.wait_for_url("**/session/")
    await is_told(thiefs)
    await expect(owners.locator("li.live")).to_have_count(0)
    await front.close()
