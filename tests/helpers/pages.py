"""Every page of the package in a state worth looking at, and how it is looked at.

`PICTURES=folder pytest tests/browser/test_every_page.py` keeps a picture of each.
"""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import BrowserContext, Page

from tests.helpers.agents import CHROME, FIREFOX, SAFARI
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD

# How wide and high the window is, and what its user prefers.
LOOKS: dict[str, tuple[tuple[int, int], dict]] = {
    "light": ((800, 560), {"color_scheme": "light"}),
    "dark": ((800, 560), {"color_scheme": "dark"}),
    "forced": ((800, 560), {"forced_colors": "active"}),
    "contrast": ((800, 560), {"contrast": "more"}),
    "phone": ((360, 640), {}),
    "sideways": ((640, 360), {}),
    "small": ((320, 256), {}),  # 1280 by 1024 at 400 %
    "zoomed": ((320, 180), {}),  # 1280 by 720 at 400 %
}
NO_PREFERENCE = {"color_scheme": "null", "forced_colors": "null", "contrast": "null"}

# What the site of each page is set to.
POLICIES: dict[str, dict] = {
    "some": {"LIMIT": 3, "NOT_YOU_URL": "/accounts/login/?reset"},
    "one": {"NOT_YOU_URL": "/accounts/login/?reset"},
    "ask": {"ON_LIMIT": "ask"},
    "two": {"ON_LIMIT": "ask", "LIMIT": 2},
    "owned": {
        "LIMIT": 3,
        "AWAY_SECONDS": 600,
        "CONFIRM": "live_single_session.confirm.password",
        "NOT_YOU_URL": "/accounts/login/?reset",
    },
    "refuse": {"ON_LIMIT": "refuse", "NOT_YOU_URL": "/accounts/login/?reset"},
}

NewContext = Callable[..., Awaitable[BrowserContext]]


class Maker:
    """Brings one page into view.

    Args:
        sites: a site for each policy.
        new_context: makes a browser.
        options: of the browser that looks at the page.
    """

    def __init__(
        self, sites: dict[str, Daphne], new_context: NewContext, **options: object
    ) -> None:
        self._sites, self._new = sites, new_context
        self._options = {"user_agent": CHROME, **options}

    async def sign_in(self, policy: str, **options: object) -> BrowserContext:
        """Sign alice in with a browser of her own, without a page."""
        context = await self._new(**options)
        answer = await context.request.post(
            f"{self._sites[policy].url}/api/login/",
            data=json.dumps({"username": "alice", "password": PASSWORD}),
        )
        assert answer.ok, await answer.text()
        return context

    async def page(self, policy: str, path: str) -> Page:
        """Open a page of a browser that is signed in."""
        context = await self.sign_in(policy, **self._options)
        page = await context.new_page()
        await page.goto(self._sites[policy].url + path)
        return page

    async def fill_in(self, policy: str) -> Page:
        """Send the login form, whatever comes of it."""
        page = await (await self._new(**self._options)).new_page()
        await page.goto(f"{self._sites[policy].url}/accounts/login/?next=/private/")
        await page.locator("#id_username").fill("alice")
        await page.locator("#id_password").fill(PASSWORD)
        await page.locator("#sign-in").click()
        return page

    # The pages

    async def sessions(self) -> Page:
        await self.sign_in("some", user_agent=SAFARI)
        ended = await self.sign_in("some", user_agent=FIREFOX)
        await ended.request.post(f"{self._sites['some'].url}/api/logout/")
        return await self.page("some", "/session/")

    async def signed_out_recently(self) -> Page:
        page = await self.sessions()
        await page.locator("summary").click()
        return page

    async def end_one(self) -> Page:
        page = await self.sessions()
        await page.locator("li.live a.button").first.click()
        return page

    async def end_others(self) -> Page:
        await self.sign_in("some", user_agent=SAFARI)
        return await self.page("some", "/session/end-others/")

    async def confirm_one(self) -> Page:
        await self.sign_in("owned", user_agent=SAFARI)
        page = await self.page("owned", "/session/")
        await page.locator("li.live a.button").first.click()
        return page

    async def confirm_others(self) -> Page:
        """With a password that was wrong."""
        await self.sign_in("owned", user_agent=SAFARI)
        page = await self.page("owned", "/session/end-others/")
        await page.locator("#password").fill("guess")
        await page.get_by_role("button").click()
        await page.locator(".error").wait_for()
        return page

    async def confirm_too_often(self) -> Page:
        page = await self.confirm_others()
        while await page.locator("#password").count():
            await page.locator("#password").fill("guess")
            await page.get_by_role("button").click()
            await page.wait_for_load_state()
        return page

    async def name_device(self) -> Page:
        page = await self.page("some", "/session/")
        await page.locator("li.current").get_by_role("link").first.click()
        return page

    async def named_and_open(self) -> Page:
        """One has a name and is there, another one has left."""
        site = self._sites["owned"].url
        for agent, name in ((FIREFOX, ""), (SAFARI, "My phone")):
            other = await (await self.sign_in("owned", user_agent=agent)).new_page()
            await other.goto(f"{site}/session/")
            await other.locator("li.current").get_by_role("link").first.click()
            await other.locator("#device-name").fill(name)
            await other.get_by_role("button").click()
            await other.wait_for_url("**/session/")
        page = await self.page("owned", "/session/")
        await page.locator(".open").nth(1).wait_for()
        return page

    async def ask(self) -> Page:
        if not await self._is_full("ask", 1):
            await self.sign_in("ask", user_agent=SAFARI)
        return await self._asked("ask")

    async def ask_which(self) -> Page:
        for agent in (SAFARI, FIREFOX)[await self._live("two") :]:
            await self.sign_in("two", user_agent=agent)
        return await self._asked("two")

    async def refused(self) -> Page:
        """What a single sign-on gets: a form that another site has sent."""
        if not await self._is_full("refuse", 1):
            await self.sign_in("refuse", user_agent=SAFARI)
        page = await (await self._new(**self._options)).new_page()
        address = f"{self._sites['refuse'].url}/api/login/"
        posted = {"username": "alice", "password": PASSWORD}
        name = json.dumps(posted)[:-1] + ', "more": "'
        await page.set_content(
            f"<form method=post enctype=text/plain action={address}>"
            f"<input type=hidden name='{name}' value='\"}}'><button>Sign in</button></form>"
        )
        await page.locator("button").click()
        await page.wait_for_url("**/api/login/")
        return page

    async def told_by_dialog(self) -> Page:
        page = await self.page("one", "/session/")
        await self.sign_in("one", user_agent=SAFARI)
        await page.get_by_role("alertdialog").wait_for()
        return page

    async def told_with_unsaved_text(self) -> Page:
        page = await self.page("one", "/private/")
        await page.locator("#draft").fill("Two hours of work,\nand not saved yet.")
        await self.sign_in("one", user_agent=SAFARI)
        await page.get_by_role("alertdialog").locator("summary").click()
        return page

    async def _asked(self, policy: str) -> Page:
        page = await self.fill_in(policy)
        await page.wait_for_url("**/session/choose/")
        return page

    async def _is_full(self, policy: str, places: int) -> bool:
        return await self._live(policy) >= places

    async def _live(self, policy: str) -> int:
        """How many sessions alice has, as a login that is turned away is told."""
        context = await self._new()
        answer = await context.request.post(
            f"{self._sites[policy].url}/api/login/",
            data=json.dumps({"username": "alice", "password": PASSWORD}),
            headers={"Accept": "application/json"},
        )
        if answer.status == 409:
            return len((await answer.json())["sessions"])
        await context.request.post(f"{self._sites[policy].url}/api/logout/")
        return 0


PAGES = [
    "sessions",
    "signed_out_recently",
    "end_one",
    "end_others",
    "confirm_one",
    "confirm_others",
    "confirm_too_often",
    "name_device",
    "named_and_open",
    "ask",
    "ask_which",
    "refused",
    "told_by_dialog",
    "told_with_unsaved_text",
]


async def put_on(page: Page, look: str) -> None:
    """Look at a page in another way."""
    (width, height), preferences = LOOKS[look]
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(**(NO_PREFERENCE | preferences))
    await page.evaluate("document.querySelector('details[open]')?.scrollIntoView()")


async def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of what is in view, where somebody asks for that."""
    folder = os.environ.get("PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png")
