"""Every link of the documentation leads to something, and every anchor to a heading."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, name_of, text_of
from tests.servers.process import ROOT

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ELSEWHERE = ("https://", "http://")


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and forges name them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    slugs = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    slugs = [re.sub(r"[\s]+", "-", slug) for slug in slugs]
    twice = [slug for slug, times in Counter(slugs).items() if times > 1]
    assert twice == [], f"{name_of(page)} has headings with the same anchor"
    return set(slugs)


def links_of(page: Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_anchors_lead_somewhere(page):
    dead = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if link.startswith(ELSEWHERE):
            continue
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_every_page_can_be_reached(page):
    others = [other for other in PAGES if other != page]
    linked = {
        (other.parent / link.partition("#")[0]).resolve()
        for other in others
        for link in links_of(other)
    }
    assert page.resolve() in linked or page == DOCS / "index.md"


def test_each_step_of_the_installation_has_an_anchor():
    steps = {"1-settings", "2-asgi", "3-urls", "4-base-template", "5-database"}
    assert steps <= anchors_of(DOCS / "install.md")
    assert {"1-settings", "2-urls", "3-base-template"} <= anchors_of(DOCS / "install-wsgi.md")


def test_builds_without_a_warning_and_finds_its_images(tmp_path):
    """MkDocs warns of links in Markdown that lead nowhere, but not of those in HTML."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    files = [
        page.parent / source
        for page in tmp_path.rglob("*.html")
        for source in re.findall(r'\s(?:src|srcset)="([^":/#<][^":#?]*)', page.read_text())
    ]
    assert files
    assert [file for file in files if not file.exists()] == []
