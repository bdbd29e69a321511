"""The code blocks of a page of docs/, section by section, to be followed."""

import re

from tests.servers.process import ROOT


def section(page: str, heading: str) -> str:
    """Return what a page says under a heading, up to the next one of that rank or above."""
    text = re.sub(r"\A", "\n", (ROOT / "docs" / page).read_text())
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"{page} has no section {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", _without_blocks(rest), re.MULTILINE)
    return rest[: end.start()] if end else rest


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, without what indents them."""
    fences = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in fences]


def block(page: str, heading: str, containing: str, language: str = "python") -> str:
    """Return the one block of a section that contains a text."""
    (found,) = [b for b in blocks(section(page, heading), language) if containing in b]
    return found


def _without_blocks(text: str) -> str:
    """Return a text of the same length in which no line of code looks like a heading."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    return re.sub(r"^ *```.*?^ *```$", blank, text, flags=re.MULTILINE | re.DOTALL)
