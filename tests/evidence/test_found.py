"""What chaos and fuzzing have found, each in its smallest form."""

import logging
from typing import Any

import pytest

from live_single_session import registry
from live_single_session.models import UserSession
from tests.browsers import Browser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("hook", ["_announce_start", "_announce_end", "finish"])
def test_inv3_a_login_that_is_committed_does_not_fail_by_what_comes_after(
    alice: Any,
    hook: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    """The database can go away between the commit and the hooks."""
    if hook == "finish":  # where sessions are cleaned up on commit
        settings.SESSION_ENGINE = "live_single_session.backends.cached_db"
    Browser().sign_in()

    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(registry, hook, fail)
    browser = Browser()
    with caplog.at_level(logging.ERROR):
        browser.sign_in()
    assert "ZeroDivisionError" in caplog.text
    assert browser.user() == "alice"
    assert UserSession.objects.live().count() == 1
