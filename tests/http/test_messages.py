"""The Django message that says why a session ended: seen once, and not when it is stale."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from tests.site.people import credentials, sign_up

pytestmark = pytest.mark.django_db(transaction=True)

TOLD = "You signed in on another device, so you were signed out here."


@pytest.fixture
def superseded() -> Client:
    """A browser whose session has ended because of a login in another one."""
    sign_up()
    old, new = Client(), Client()
    for browser in (old, new):
        browser.post("/accounts/login/", credentials("alice"))
    return old


def messages_of(response: object) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]  # type: ignore[attr-defined]


def test_login_page_shows_why(superseded: Client) -> None:
    response = superseded.get("/private/", follow=True)
    assert TOLD in [str(message) for message in response.context["messages"]]
    again = superseded.get("/accounts/login/")
    assert list(again.context["messages"]) == []


def test_whoever_signs_in_again_is_not_told_afterwards(superseded: Client) -> None:
    """The dialog leads to the login page, which needs no login: its message would be stale."""
    assert superseded.get("/accounts/login/")["Session-Ended"] == "superseded"
    superseded.post("/accounts/login/", credentials("alice"))
    assert messages_of(superseded.get("/private/")) == []
