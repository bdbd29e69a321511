"""The pages of the documentation, and their code blocks."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from tests.servers.process import ROOT

DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
]

# What MkDocs puts in the place of a line such as --8<-- "README.md:install".
SNIPPET = re.compile(r'^--8<-- "([^":]+):(\w+)"$', re.MULTILINE)


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    line: int
    language: str
    code: str


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT))


def text_of(page: Path) -> str:
    """Return a page as its readers see it, with what it includes of other pages."""

    def included(snippet: re.Match[str]) -> str:
        text = (ROOT / snippet[1]).read_text()
        return text.partition(f"[start:{snippet[2]}] -->")[2].partition("<!-- --8<-- [end")[0]

    return SNIPPET.sub(included, page.read_text())


def blocks_of(page: Path) -> list[Block]:
    tokens = MarkdownIt().parse(page.read_text())
    return [
        Block(name_of(page), token.map[0] + 1, token.info, token.content)
        for token in tokens
        if token.type in ("fence", "code_block") and token.map
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def each(blocks: list[Block]) -> pytest.MarkDecorator:
    """Run a test with each of some blocks, as ``code``, named after page and line."""
    found = [pytest.param(block.code, id=f"{block.page}:{block.line}") for block in blocks]
    return pytest.mark.parametrize("code", found)


def in_language(language: str) -> pytest.MarkDecorator:
    return each([block for block in BLOCKS if block.language == language])


def block_with(text: str, page: str) -> str:
    """Return the code of the only block of a page in which a text stands."""
    (found,) = [block.code for block in BLOCKS if block.page == page and text in block.code]
    return found
