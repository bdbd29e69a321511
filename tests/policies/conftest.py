"""Fixtures: the site's policy, two devices, and what was refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from live_single_session.signals import login_refused
from tests.browsers import FIREFOX, SAFARI, Browser


@pytest.fixture(autouse=True)
def _own_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.policies.site"


@pytest.fixture
def policy(settings: Any) -> Callable[..., None]:
    """`policy(ON_LIMIT="refuse")`: the site's settings from now on."""

    def set_policy(**values: object) -> None:
        settings.LIVE_SINGLE_SESSION = values

    return set_policy


@pytest.fixture
def laptop() -> Browser:
    return Browser(headers={"User-Agent": FIREFOX})


@pytest.fixture
def phone() -> Browser:
    return Browser(headers={"User-Agent": SAFARI})


@pytest.fixture
def refused() -> Iterator[list[dict[str, Any]]]:
    """What `login_refused` has said."""
    said: list[dict[str, Any]] = []

    def hear(signal: Any, sender: Any, **facts: Any) -> None:
        said.append(facts)

    login_refused.connect(hear)
    yield said
    login_refused.disconnect(hear)
