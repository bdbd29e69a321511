"""From the click on "sign in" in one browser to the dialog on the page of the other one."""

import asyncio
import time
from contextlib import ExitStack
from typing import Any

from playwright.async_api import async_playwright

from benchmarks.measure import Servers, load, spread
from tests.servers.chromium import launch_chromium
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD


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
    return {"load": load(), "chromium": version, "ms": spread(taken)}


async def _once(browser: Any, url: str) -> float:
    old, new = await browser.new_context(), await browser.new_context()
    page, other = await old.new_page(), await new.new_page()
    for tab in (page, other):
        await tab.goto(f"{url}/accounts/login/?next=/private/")
        await tab.fill("[name=username]", "alice")
        await tab.fill("[name=password]", PASSWORD)
    ready = asyncio.Event()  # listened for from the start: the frame may come at once
    page.on("websocket", lambda ws: ws.on("framereceived", lambda _: ready.set()))
    await page.click("form button")
    await ready.wait()
    began = time.perf_counter()
    await other.click("form button", no_wait_after=True)
    await page.wait_for_selector("dialog[open]", state="visible")
    took = 1000 * (time.perf_counter() - began)
    await old.close()
    await new.close()
    return took
