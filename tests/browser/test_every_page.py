"""Every page in every look: axe finds nothing, nothing is cut off, a button is in view."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.helpers.pages import LOOKS, PAGES, POLICIES, Maker, keep_picture, put_on
from tests.servers.daphne import Daphne

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
STILL = "Promise.all(document.getAnimations().map((animation) => animation.finished))"


@pytest.fixture(scope="module")
def sites(site_databases) -> Iterator[dict[str, Daphne]]:
    """A site for each policy that one of the pages belongs to."""
    databases, started, names = site_databases("sqlite"), {}, []
    try:
        for policy, settings in POLICIES.items():
            names.append(databases.create())
            env = {"DATABASE_URL": databases.url(names[-1]), "LIVE_SINGLE_SESSION": settings}
            started[policy] = Daphne(env=env)
            started[policy].start()
        yield started
    finally:
        for site in started.values():
            site.close()
        for name in names:
            databases.drop(name)


@pytest.mark.parametrize("name", PAGES)
async def test_can_be_read_and_used_by_everybody(sites, new_browser_context, name):
    page = await getattr(Maker(sites, new_browser_context), name)()
    for look in LOOKS:
        await put_on(page, look)
        await is_fit_to_be_seen(page, f"{name}-{look}")


@pytest.mark.parametrize("name", PAGES)
async def test_can_be_read_from_right_to_left(sites, new_browser_context, name):
    page = await getattr(Maker(sites, new_browser_context, locale="ar"), name)()
    await put_on(page, "light")
    await is_fit_to_be_seen(page, f"{name}-arabic")


async def is_fit_to_be_seen(page, name):
    await page.evaluate(STILL)
    await keep_picture(page, name)
    results = await Axe().run(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    assert await page.evaluate(OVERFLOW) <= 0, name


@pytest.mark.parametrize(
    "name", ["ask", "ask_which", "refused", "end_one", "end_others", "confirm_one"]
)
async def test_the_first_screen_has_the_title_and_a_button(sites, new_browser_context, name):
    """At 400 % there is room for little else."""
    page = await getattr(Maker(sites, new_browser_context), name)()

    for look in ("sideways", "small", "zoomed"):
        await put_on(page, look)
        for element in (page.locator("h1"), page.locator(".card .button").first):
            await expect(element).to_be_in_viewport(ratio=1)
