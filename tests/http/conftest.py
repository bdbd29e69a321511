"""Fixtures: a browser whose session has ended."""

import pytest

from tests.helpers.browsers import FIREFOX, Browser


@pytest.fixture
def left(alice):
    """A browser whose session has ended: alice signed in elsewhere."""
    browser, newer = Browser(), Browser(headers={"user-agent": FIREFOX})
    browser.sign_in()
    newer.sign_in()
    return browser
