"""Debian's Chromium, driven by Playwright."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Playwright

from tests.servers.packages import find
from tests.servers.process import free_port

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


async def launch_chromium(
    playwright: Playwright, *more_arguments: str, back_forward_cache: bool = False
) -> Browser:
    """Start it. Playwright turns the back/forward cache off, unless it is asked for."""
    kept_out = ["--disable-back-forward-cache"] if back_forward_cache else []
    return await playwright.chromium.launch(
        executable_path=find("chromium"),
        args=[*ARGUMENTS, *more_arguments],
        ignore_default_args=kept_out,
    )


@asynccontextmanager
async def freezable_context(playwright: Playwright) -> AsyncIterator[BrowserContext]:
    """A browser whose pages Chromium can freeze.

    Playwright has its pages believe that they are always looked at, and no such page
    freezes, but for those of a browser that it is a guest in.
    """
    port = free_port()
    chromium = await launch_chromium(playwright, f"--remote-debugging-port={port}")
    guest = await playwright.chromium.connect_over_cdp(
        f"http://127.0.0.1:{port}", no_defaults=True
    )
    yield guest.contexts[0]
    await guest.close()
    await chromium.close()
