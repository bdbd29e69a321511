"""Put the pictures of every page on one sheet.

PICTURES=folder pytest -p no:randomly tests/browser/test_every_page.py
python -m tests.helpers.contact_sheet folder docs/images/pages.png
"""

import asyncio
import sys
from base64 import b64encode
from pathlib import Path

from PIL import Image
from playwright.async_api import async_playwright

from tests.helpers.pages import LOOKS, PAGES
from tests.servers.chromium import launch_chromium

STYLE = """
    body { margin: 1rem; background: #d4d7de; font: 600 13px system-ui, sans-serif; }
    table { border-spacing: .6rem; }
    th { color: #333; text-align: left; vertical-align: top; white-space: nowrap; }
    img { display: block; max-width: 170px; max-height: 190px; border-radius: 4px; }
    td { vertical-align: top; }
"""


def sheet(folder: Path) -> str:
    """Return the sheet as HTML: a row for each page, a column for each look."""
    looks = [*LOOKS, "arabic"]
    head = "".join(f"<th>{look}</th>" for look in looks)
    rows = ""
    for page in PAGES:
        cells = "".join(f"<td>{_image(folder / f'{page}-{look}.png')}</td>" for look in looks)
        rows += f"<tr><th>{page.replace('_', ' ')}</th>{cells}</tr>"
    return f"<style>{STYLE}</style><table><tr><th></th>{head}</tr>{rows}</table>"


def _image(path: Path) -> str:
    return f'<img alt="" src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}">'


async def main(folder: str, target: str) -> None:
    async with async_playwright() as playwright:
        chromium = await launch_chromium(playwright)
        page = await chromium.new_page(
            viewport={"width": 1800, "height": 900}, device_scale_factor=1.5
        )
        await page.set_content(sheet(Path(folder)))
        await page.locator("table").screenshot(path=target)
        await chromium.close()
    Image.open(target).convert("RGB").quantize().save(target, optimize=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
