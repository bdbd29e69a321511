"""The demo, side by side: who is signed out is told and shown, and gets the note back."""

import os
import socket
import sys
from contextlib import closing

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from demo.users import DEMO_USERS
from tests.servers.process import ROOT, ServerProcess
from tests.servers.waiting import wait_until

PASSWORD = next(user.password for user in DEMO_USERS if user.username == "alice")
NOTE = "Dear diary,\nnobody reads this."


class Demo(ServerProcess):
    name = "demo"
    ready_text = "Ctrl-C stops it."

    def command(self):
        return [sys.executable, str(ROOT / "demo" / "run.py")]

    def environment(self):
        own = {
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{self.directory}/db.sqlite3",
            "SECRET_KEY_FILE": str(self.directory / "key"),
        }
        return dict(os.environ) | own


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    try:
        demo.start()
        wait_until(lambda: _listens(demo.port), "the demo to listen")
        yield f"http://demo.localhost:{demo.port}/"
    finally:
        demo.close()


def _listens(port):
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def open_stage(demo, new_browser_context):
    """`await open_stage(width, height)`: the page, and the two browsers in it."""

    async def open_page(width=1280, height=800):
        size = {"width": width, "height": height}
        page = await (await new_browser_context(viewport=size)).new_page()
        await page.goto(demo)
        frames = [page.frame_locator(f"iframe[name={name}]") for name in ("left", "right")]
        await expect(frames[1].get_by_role("link", name="Sign in").first).to_be_visible()
        return page, *frames

    return open_page


async def fill_in(browser):
    await browser.get_by_label("Name").fill("alice")
    await browser.get_by_label("Password", exact=True).fill(PASSWORD)
    await browser.get_by_role("button", name="Sign in", exact=True).click()


async def sign_in(browser):
    await browser.get_by_role("link", name="Sign in").first.click()
    await fill_in(browser)
    await expect(browser.get_by_text("Hello, alice")).to_be_visible()


async def test_the_eye_is_drawn_to_the_laptop_and_the_note_comes_back(open_stage):
    page, laptop, phone = await open_stage()
    await sign_in(laptop)
    await laptop.get_by_role("link", name="My note").click()
    await laptop.locator("#text").fill(NOTE)
    await expect(page.locator("#said")).to_be_empty()
    await sign_in(phone)

    await expect(page.get_by_role("status")).to_have_text(
        "laptop signed out: you signed in on the phone"
    )
    await expect(laptop.get_by_role("alertdialog")).to_be_visible()
    await laptop.get_by_role("link", name="Sign in again").click()
    await expect(laptop.get_by_role("status")).to_contain_text("you were signed out here")
    await fill_in(laptop)

    await expect(laptop.locator("#text")).to_have_value(NOTE)
    await expect(laptop.locator("#state")).to_have_text(
        "Your text is back. It isn’t saved yet."
    )
    await expect(page.get_by_role("status")).to_have_text(
        "phone signed out: you signed in on the laptop"
    )
    await expect(page.get_by_text("That was it")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (640, 360), (1280, 800)])
async def test_both_browsers_are_in_view(open_stage, width, height):
    page, laptop, phone = await open_stage(width, height)
    await sign_in(laptop)
    await sign_in(phone)

    for shown in [*await page.locator("section").all(), page.locator("#said")]:
        await expect(shown).to_be_in_viewport(ratio=1)
    await expect(laptop.get_by_role("link", name="Sign in again")).to_be_in_viewport(ratio=1)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) <= 0


async def test_whoever_it_wasn_t_gets_a_new_password(open_stage):
    _page, laptop, phone = await open_stage()
    await sign_in(laptop)
    await sign_in(phone)
    await laptop.get_by_role("link", name="Wasn’t you?").click()
    await laptop.get_by_label("Email").fill("alice@example.com")
    await laptop.get_by_role("button", name="Send me a link").click()
    await laptop.get_by_role("article").get_by_role("link").click()
    await laptop.get_by_label("New password", exact=True).fill(PASSWORD)
    await laptop.get_by_label("New password confirmation").fill(PASSWORD)
    await laptop.get_by_role("button", name="Set the new password").click()

    await expect(laptop.get_by_role("status")).to_contain_text("signed out everywhere")
    await expect(phone.get_by_role("alertdialog")).to_contain_text("password was changed")


async def test_the_pages_of_the_package_have_the_site_s_header(demo, new_browser_context):
    page = await (await new_browser_context()).new_page()
    await page.goto(demo.replace("demo.localhost", "127.0.0.1") + "login/")
    await fill_in(page)
    await page.get_by_role("link", name="Devices").click()
    await expect(page.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    accent = "getComputedStyle(document.querySelector('.back a')).color"
    brand = "getComputedStyle(document.querySelector('.lead a')).color"
    assert await page.evaluate(accent) == await page.evaluate(brand) == "rgb(79, 70, 229)"
    assert (await Axe().run(page)).violations_count == 0

    await page.get_by_role("link", name="Back to").click()
    await expect(page.get_by_text("Hello, alice")).to_be_visible()
