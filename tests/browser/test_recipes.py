"""What the documentation says about htmx, Turbo and single-page apps works as it is there."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from textwrap import dedent

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests.helpers.front import Front
from tests.helpers.visitor import Visitor, dialog, is_left_alone, is_told
from tests.servers.chromium import launch_chromium
from tests.servers.daphne import Daphne
from tests.servers.npm import npm
from tests.servers.waiting import await_until
from tests.site.people import PASSWORD

DOCS = Path(__file__).parents[2] / "docs"

SETTINGS = """
from tests.settings import *
BASE = {folder!r}
TEMPLATES[0]["DIRS"] = [BASE + "/templates", *TEMPLATES[0]["DIRS"]]
STATICFILES_DIRS = [BASE + "/static"]
"""


def block(page: str, language: str, containing: str) -> str:
    """The one block of code on a page of the documentation that has this in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    [found] = [text for text in blocks if containing in text]
    return found


@pytest.fixture
def serve(tmp_path: Path, start_daphne: Callable[..., Daphne], site_database) -> Callable:
    """`serve(templates=, static=, settings=, asgi=)`: the test site with these files in it."""

    def start(templates=(), static=(), settings: str = "", asgi: str = "") -> Daphne:
        for folder, files in [("templates", templates), ("static", static)]:
            (tmp_path / folder).mkdir()
            for name, text in dict(files).items():
                (tmp_path / folder / name).write_text(text)
        (tmp_path / "recipe_settings.py").write_text(
            dedent(SETTINGS.format(folder=str(tmp_path))) + settings
        )
        (tmp_path / "recipe_asgi.py").write_text(asgi)
        return start_daphne(
            "recipe_asgi:application" if asgi else "tests.asgi:application",
            DATABASE_URL=site_database("sqlite"),
            DJANGO_SETTINGS_MODULE="recipe_settings",
            PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}",
        )

    return start


@pytest_asyncio.fixture(loop_scope="session")
async def front_of() -> AsyncIterator[Callable[[Daphne], Awaitable[Front]]]:
    fronts = []

    async def open_front(daphne: Daphne) -> Front:
        fronts.append(Front(daphne.port))
        await fronts[-1].open()
        return fronts[-1]

    yield open_front
    for front in fronts:
        await front.close()


LIBRARIES = {
    "htmx 2": (
        "htmx.md",
        "htmx 2 #",
        "htmx.min.js",
        ("htmx2", "htmx.org@2"),
        "dist/htmx.min.js",
    ),
    "htmx 4": (
        "htmx.md",
        "htmx 4 #",
        "htmx.min.js",
        ("htmx4", "htmx.org@4"),
        "dist/htmx.min.js",
    ),
    "Turbo": (
        "turbo.md",
        "turbo.js",
        "turbo.js",
        ("turbo8", "@hotwired/turbo@8"),
        "dist/turbo.es2017-umd.js",
    ),
}


@pytest.mark.parametrize("library", LIBRARIES)
async def test_inv4_inv9_pages_that_swap_their_body(
    serve, front_of, new_browser_context, library
):
    """No new document is loaded; the end is told, and no end that this tab made."""
    page_of_docs, mark, script, package, path = LIBRARIES[library]
    daphne = serve(
        templates={"base.html": block(page_of_docs, "django", mark)},
        static={script: (npm(*package) / path).read_text()},
    )
    front = await front_of(daphne)
    visitor = Visitor(await new_browser_context(), front)
    page = await visitor.context.new_page()
    await page.goto(f"{front.url}/accounts/login/")
    await page.evaluate("window.isTheSameDocument = true")

    for _ in range(2):
        await _fill_in(page)
        await await_until(lambda: len(front.sockets) == 1, "the session to be watched")
        await page.locator("#sign-out").click()
        await expect(page.locator("#sign-in")).to_be_visible()
        await page.wait_for_timeout(2500)  # by then it would have said that somebody else did
        await is_left_alone(page)
        await await_until(lambda: not front.sockets, "the socket to be closed")
    await _fill_in(page)
    await await_until(lambda: len(front.sockets) == 1, "the session to be watched")
    assert await page.evaluate("window.isTheSameDocument")
    await Visitor(await new_browser_context(), front).sign_in()

    await is_told(page)
    await expect(dialog(page)).to_have_accessible_name("You’ve been signed out here")


async def test_inv4_a_single_page_app_is_told_of_each_end_but_its_own(
    serve, front_of, new_browser_context
):
    daphne = serve(
        static={
            "index.html": block("single-page-apps.md", "html", "data-anonymous"),
            "app.js": block("single-page-apps.md", "js", "app.js"),
        }
    )
    front = await front_of(daphne)
    page = await (await new_browser_context()).new_page()
    await page.goto(f"{front.url}/static/index.html")
    state = page.locator("#state")

    for name in ("alice", "bob"):
        await page.evaluate(f"signIn({name!r}, {PASSWORD!r})")
        await await_until(lambda: len(front.sockets) == 1, "the session to be watched")
        await expect(state).to_have_text(f"Hello, {name}")
        await page.evaluate("signOut()")
        await await_until(lambda: not front.sockets, "the socket to be closed")
        await expect(state).to_have_text("Goodbye")
        await page.evaluate(f"signIn({name!r}, {PASSWORD!r})")
        await await_until(lambda: len(front.sockets) == 1, "the session to be watched")
        await Visitor(await new_browser_context(), front).sign_in(name)
        await expect(state).to_have_text(re.compile("so you were signed out here"))
        await is_left_alone(page)


async def test_inv4_inv9_an_app_on_an_origin_of_its_own(serve, new_browser_context):
    """It is told of the real end, and of none while the session is live."""

    def here(text: str) -> str:
        return re.sub(r"(http|ws)s://(\w+)\.example\.com", r"\1://\2.example.test", text)

    page_of_docs = "single-page-apps.md"
    daphne = serve(
        static={"index.html": here(block(page_of_docs, "html", "api.example.com"))},
        settings=here(block(page_of_docs, "python", "CORS_ALLOWED_ORIGINS")),
        asgi=here(block(page_of_docs, "python", "OriginValidator(")),
    )
    api, app = "http://api.example.test", "http://app.example.test"
    async with async_playwright() as playwright:
        chromium = await launch_chromium(
            playwright,
            f"--host-resolver-rules=MAP *.example.test 127.0.0.1:{daphne.port}",
            f"--unsafely-treat-insecure-origin-as-secure={api},{app}",
        )
        context = await chromium.new_context()
        page = await context.new_page()
        await page.goto(f"{api}/accounts/login/")
        await _fill_in(page)
        await page.wait_for_url("**/private/")
        async with page.expect_response("**/session/status/**") as asked:
            await page.goto(f"{app}/static/index.html")
        assert (await asked.value).ok
        async with page.expect_response("**/session/status/**"):
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await page.wait_for_timeout(500)
        await is_left_alone(page)

        other = await (await new_browser_context()).request.post(
            f"{daphne.url}/api/login/",
            data=f'{{"username": "alice", "password": "{PASSWORD}"}}',
        )
        assert other.ok
        await is_told(page)
        await chromium.close()


async def _fill_in(page: Page) -> None:
    await page.locator("#id_username").fill("alice")
    await page.locator("#id_password").fill(PASSWORD)
    await page.locator("#sign-in").click()
