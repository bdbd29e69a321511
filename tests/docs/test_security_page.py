"""What the page about security claims of the ASVS, it claims with a test for each item."""

import re

import pytest

from tests.docs.pages import DOCS
from tests.servers.process import ROOT

TEXT = (DOCS / "security.md").read_text()
TABLE = TEXT.partition("| item | text | how | tests |")[2].partition("\n\n")[0]
ITEMS = [re.split(r" \| ", line.strip("| ")) for line in TABLE.splitlines()[2:]]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item[0])
def test_an_item_is_claimed_with_its_text_and_its_tests(item):
    number, text, _how, tests = item
    assert re.fullmatch(r"\d+\.\d+\.\d+", number)
    assert re.fullmatch(r'"Verify that\b.+\."', text)
    named = re.findall(r"`(\w+)`", tests)
    assert named
    assert set(named) <= TESTS
