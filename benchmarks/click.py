"""From the click on "sign in" in one browser to the dialog on the page of the other one.

Both ends are taken by the pages themselves, with the clock that they share: from the event of
the click to the first frame that shows the dialog. What drives the browsers is not counted.
"""

import asyncio
from contextlib import ExitStack
from typing import Any

from playwright.async_api import Browser, async_playwright

from benchmarks.measure import Servers, load, spread
from tests.servers.chromium import launch_chromium
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD

CLOCK = "const now = () => performance.timeOrigin + performance.now();"
CLICKED = f"{CLOCK} addEventListener('click', () => sessionStorage.clicked = now(), true);"
TOLD = f"""{CLOCK}
    document.addEventListener("live-single-session:ended", () => {{
      const told = now(); // the dialog opens in this very task
      requestAnimationFrame(() => setTimeout(() => window.seen = {{ told, shown: now() }}));
    }});
"""


async def run(times: int) -> dict[str, Any]:
    with ExitStack() as stack:
        site = Servers(stack).site("ours")
        settings = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        site.daphne = Daphne("tests.asgi:application", site.daphne.env | settings)
        site.run("tests.site.people")
        site.start()
        async with async_playwright() as playwright:
            browser = await launch_chromium(playwright)
            taken = [await _once(browser, site.daphne.url) for _ in range(times + 1)][1:]
            version = browser.version
            await browser.close()
    told, shown = zip(*taken, strict=True)
    return {"load": load(), "chromium": version, "told": spread(told), "shown": spread(shown)}


async def _once(browser: Browser, url: str) -> tuple[float, float]:
    """Return after how many ms the old page was told, and showed it."""
    old, new = await browser.new_context(), await browser.new_context()
    page, other = await old.new_page(), await new.new_page()
    await page.add_init_script(TOLD)
    await other.add_init_script(CLICKED)
    for tab in (page, other):
        await tab.goto(f"{url}/accounts/login/?next=/private/")
        await tab.fill("[name=username]", "alice")
        await tab.fill("[name=password]", PASSWORD)
    ready = asyncio.Event()  # listened for from the start: the frame may come at once
    page.on("websocket", lambda ws: ws.on("framereceived", lambda _: ready.set()))
    await page.click("form button")
    await ready.wait()
    await other.click("form button", no_wait_after=True)
    seen = await (await page.wait_for_function("window.seen")).json_value()
    await other.wait_for_selector("#user")
    clicked = float(await other.evaluate("sessionStorage.clicked"))
    await old.close()
    await new.close()
    return seen["told"] - clicked, seen["shown"] - clicked
