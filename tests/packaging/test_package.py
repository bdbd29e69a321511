"""The package as others get it: built, and installed as the documentation says."""

import re
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from markdown_it import MarkdownIt
from playwright.async_api import expect

import live_single_session
from tests.helpers.visitor import fill_in
from tests.packaging.new_project import NewProject, NewProjectOnWsgi
from tests.packaging.readers import (
    PASSWORD,
    SiteByReadme,
    SiteByTutorial,
    SiteOnWsgi,
    run,
)
from tests.servers.process import ROOT

PACKAGE = ROOT / "live_single_session"
PATIENCE = 60_000  # ms: without websockets, tabs ask every 30 seconds
FENCED = re.compile(r"^```\w*\n.*?^```$", re.DOTALL | re.MULTILINE)


class Built(NamedTuple):
    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What would be uploaded; the wheel is made from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return Built(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


def test_what_would_be_uploaded_passes_the_check_of_its_metadata(built):
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, built))


def test_wheel_has_the_whole_package_and_nothing_else(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == _files_of_package()
    for kind in ["py.typed", ".js", ".css", ".html", "0001_initial.py"]:
        assert any(name.endswith(kind) for name in packed), kind


def test_every_translation_is_packed_compiled(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        packed = set(wheel.namelist())
    sources = [name for name in _files_of_package() if name.endswith(".po")]
    assert [name for name in sources if f"{name[:-3]}.mo" not in packed] == []


def test_sdist_can_be_tested_and_has_no_secrets(built):
    with tarfile.open(built.sdist) as sdist:
        packed = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = ["Makefile", "pyproject.toml", "tests/conftest.py", "demo/settings.py"]
    wanted += ["README.md", "requirements-dev.lock", "noxfile.py"]
    wanted += ["deploy/settings.py", "docker-compose.yml", "docs/guarantees.md", "LICENSE"]
    assert {name for name in wanted if (ROOT / name).exists()} <= packed
    secrets = [name for name in packed if re.search(r"secret_key|sqlite3|\.pyc$|\.env", name)]
    assert secrets == []


def test_long_description_has_no_link_that_leads_nowhere(built):
    """PyPI shows it alone, without the files beside it."""
    description = _long_description(built.wheel)
    html = MarkdownIt().render(description)
    links = re.findall(r'(?:href|src|srcset)="([^"]*)"', html)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "![" not in html


def test_long_description_has_the_words_of_the_readme(built):
    description = _long_description(built.wheel)
    readme = (ROOT / "README.md").read_text()
    for heading in re.findall(r"^## .*$", readme, re.MULTILINE):
        assert heading in description
    for code in FENCED.findall(readme):
        assert code in description
    assert "\nWhat is guaranteed says exactly" in description  # which is a link in the README


def test_version_that_code_can_ask_for_is_that_of_the_wheel(built):
    assert _metadata(built.wheel)["Version"] == live_single_session.__version__


def _long_description(wheel: Path) -> str:
    return _metadata(wheel).get_payload(decode=True).decode()


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(packed.read(name))


def _files_of_package() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


# Sites made by following the documentation to the letter


READERS = [SiteByReadme, SiteByTutorial, SiteOnWsgi, NewProject, NewProjectOnWsgi]


@pytest.fixture(scope="session", params=READERS)
def readers_site(request, built: Built):
    site = request.param(built.wheel)
    try:
        site.make()
        site.start()
        yield site
    finally:
        site.close()


def test_checks_have_nothing_to_say_about_a_readers_site(readers_site):
    assert "System check identified no issues (0 silenced)." in readers_site.said


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(new_browser_context, readers_site):
    """`await sign_in("alice")`: the page of somebody who has just signed in."""

    async def sign_in(name: str):
        page = await (await new_browser_context()).new_page()
        await page.goto(f"{readers_site.url}{readers_site.login_path}")
        await fill_in(page, name, PASSWORD)
        heading = readers_site.welcome.format(name=name)
        await expect(page.get_by_role("heading", name=heading)).to_be_visible()
        return page

    yield sign_in
    print(f"The site printed:\n{readers_site.log[-4000:]}")


async def test_inv4_readers_site_tells_the_tab_that_was_left_behind(
    sign_in, browser, readers_site
):
    old, bobs = await sign_in("alice"), await sign_in("bob")

    new = await sign_in("alice")

    await expect(old.get_by_role("alertdialog")).to_be_visible(timeout=PATIENCE)
    await expect(old.get_by_role("alertdialog")).to_contain_text("signed in")
    for page in (new, bobs):
        await page.reload()
        heading = readers_site.welcome.partition(",")[0]
        await expect(page.get_by_role("heading", name=heading)).to_be_visible()
        await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_readers_site_has_its_pages(sign_in, browser, readers_site):
    page = await sign_in("bob")
    answer = await page.goto(f"{readers_site.url}/session/")
    assert answer.status == 200
