"""Somebody with a browser."""

import json
from contextlib import suppress
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Error, Frame, Locator, Page, expect

from tests.helpers.front import Front
from tests.servers.waiting import PATIENCE, await_until
from tests.site.people import PASSWORD

PAGE = "/private/"

CSP = (  # as strict as the script can stand
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass
class Visitor:
    context: BrowserContext
    front: Front

    async def sign_in(self, name: str = "alice") -> None:
        """Sign in without a page, as from a window that is closed again."""
        response = await self.context.request.post(
            f"{self.front.url}/api/login/",
            data=json.dumps({"username": name, "password": PASSWORD}),
        )
        assert response.ok, await response.text()

    async def sign_out(self) -> None:
        response = await self.context.request.post(f"{self.front.url}/api/logout/")
        assert response.ok, await response.text()

    async def open(self, path: str = PAGE) -> Page:
        """Open a tab, and wait until the end of its session would reach it."""
        page = await self.context.new_page()
        await page.goto(self.front.url + path)
        await self.is_watching(page)
        return page

    async def is_watching(self, page: Page) -> None:
        session = await session_of(page)
        await await_until(lambda: self.front.of(session), f"a socket for {session}")

    async def glance_at(self, page: Page) -> None:
        """Switch to a tab, which makes it ask whether its session is live."""
        before = self.front.checks()

        async def asks() -> bool:
            with suppress(Error):  # it has asked, and reloads already
                await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            return self.front.checks() > before

        await await_until(asks, "the page to ask")


async def fill_in(page: Page | Frame, name: str, password: str = PASSWORD) -> None:
    """Send the form of a login page, whatever comes of it."""
    await page.locator("#id_username").fill(name)
    await page.locator("#id_password").fill(password)
    await page.locator("#id_password").press("Enter")


def dialog(page: Page) -> Locator:
    return page.get_by_role("alertdialog")


async def is_told(page: Page, *, seconds: float = PATIENCE) -> None:
    await expect(dialog(page)).to_be_visible(timeout=seconds * 1000)


async def is_left_alone(page: Page) -> None:
    assert not await dialog(page).count()


async def session_of(page: Page) -> str:
    """The session that a page was made for."""
    return await page.locator("script[data-session]").get_attribute("data-session")


async def shows(page: Page, name: str) -> None:
    """Wait for the page of a user, without a dialog over it."""
    await expect(page.locator("#user")).to_have_text(name)
    await expect(dialog(page)).to_have_count(0)


# Playwright runs these before the page's own scripts.

# HURRY makes pauses short, but leaves a handshake or an answer all the time that the script
# gives them, unless the page is IMPATIENT: they take as long as the machine is slow. A silence
# of minutes is short too, but is no pause between two tries.

IMPATIENT = "window.patience = 250;"

HURRY = """
    const wait = window.setTimeout;
    window.pauses = [];
    window.setTimeout = (action, ms, ...rest) => {
      if (ms === 10000) return wait(action, window.patience || ms, ...rest);
      if (ms < 100000) window.pauses.push(ms);
      return wait(action, ms / 40, ...rest);
    };
"""

# Playwright's looking at a page counts as somebody's doing there: it would wait for a request.
IDLE = """
    Object.defineProperty(navigator, "userActivation", { value: { isActive: false } });
"""

WRITE_DOWN_EVENTS = """
    for (const name of ["ended", "returned"]) {
      document.addEventListener(`live-single-session:${name}`, (event) => {
        const written = JSON.parse(localStorage.getItem("events") || "[]");
        written.push({ name, detail: event.detail, cancelable: event.cancelable });
        localStorage.setItem("events", JSON.stringify(written));
        if (window.cancels?.includes(name)) event.preventDefault();
      });
    }
"""


async def events_of(page: Page) -> list[dict]:
    """The script's events that the tabs of this browser have seen."""
    return json.loads(await page.evaluate("localStorage.getItem('events') || '[]'"))
