"""What the log says of sessions: one line each, for people and for programs."""

import logging

import pytest

from live_single_session import registry
from live_single_session.models import UserSession
from tests.helpers.browsers import FIREFOX, Browser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, logger="live_single_session")

    def said():
        return [r for r in caplog.records if r.name == "live_single_session"]

    return said


def test_one_line_for_each_start_and_each_end(alice, lines):
    Browser.signed_in()
    Browser.signed_in().post("/api/logout/")

    first, second = UserSession.objects.order_by("serial")
    said = [(line.event, line.session_id, line.reason) for line in lines()]
    assert said == [
        ("started", str(first.pk), None),
        ("ended", str(first.pk), "superseded"),
        ("started", str(second.pk), None),
        ("ended", str(second.pk), "logged_out"),
    ]
    assert {line.user_id for line in lines()} == {str(alice.pk)}
    assert {line.levelno for line in lines()} == {logging.INFO}
    assert f"Session {first.pk} of user {alice.pk} ended: superseded" in [
        line.getMessage() for line in lines()
    ]


def test_one_line_for_each_refusal(alice, lines, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    Browser.signed_in()
    Browser().post_json(
        "/api/login/",
        {"username": "alice", "password": "correct horse battery staple"},
    )

    refusals = [line for line in lines() if "refused" in getattr(line, "event", "")]
    assert len(refusals) == 1
    assert refusals[0].user_id == str(alice.pk)
    assert refusals[0].levelno == logging.INFO


def test_inv7_no_line_holds_a_key_or_a_user_agent(alice, bob, lines):
    agent = {"User-Agent": FIREFOX}
    names = ["alice", "alice", "bob"]
    keys = [Browser.signed_in(name, headers=agent).cookie for name in names]
    registry.end_all(bob, "revoked_by_staff")

    for line in lines():
        text = line.getMessage() + str(vars(line))
        assert not [key for key in keys if key in text]
        assert "Firefox" not in text
