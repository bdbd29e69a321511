"""Debian's Chromium, driven by Playwright."""

from playwright.async_api import Browser, Playwright

from tests.servers.packages import find

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
    playwright: Playwright, *, back_forward_cache: bool = False
) -> Browser:
    """Start it. Playwright turns the back/forward cache off, unless it is asked for."""
    kept_out = ["--disable-back-forward-cache"] if back_forward_cache else []
    return await playwright.chromium.launch(
        executable_path=find("chromium"), args=ARGUMENTS, ignore_default_args=kept_out
    )
