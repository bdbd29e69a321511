"""The registry's own functions, and their async twins."""

import logging
import uuid

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.sessions.models import Session

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import AsyncBrowser, Browser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def three(alice, settings):
    """The rows of three sessions of alice, the oldest first."""
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    for _ in range(3):
        Browser().sign_in()
    return list(UserSession.objects.order_by("serial"))


def test_live_is_newest_first(three, alice, bob):
    assert registry.live_of(alice) == three[::-1]
    assert registry.live_of(bob) == []


def test_end_ends_one_session_once(three, alice, heard):
    heard.clear()
    assert registry.end(three[1], EndReason.REVOKED) is True
    assert registry.end(three[1], EndReason.REVOKED_BY_STAFF) is False
    three[1].refresh_from_db()
    assert three[1].end_reason == EndReason.REVOKED
    assert registry.live_of(alice) == [three[2], three[0]]
    assert heard == [("ended", three[1])]
    assert Session.objects.count() == 2


def test_end_all_counts_what_it_ended(three, alice, bob):
    Browser().sign_in("bob")
    assert registry.end_all(alice, EndReason.REVOKED) == 3
    assert registry.end_all(alice, EndReason.REVOKED) == 0
    assert registry.live_of(alice) == []
    assert len(registry.live_of(bob)) == 1


@pytest.mark.parametrize("as_id", [False, True])
def test_end_all_may_keep_one(three, alice, as_id):
    keep = three[0].pk if as_id else three[0]
    assert registry.end_all(alice, EndReason.REVOKED, keep=keep) == 2
    assert registry.live_of(alice) == [three[0]]


def test_ending_what_is_gone_is_harmless(alice):
    row = UserSession(user=alice, id=uuid.uuid4())
    assert registry.end(row, EndReason.REVOKED) is False
    alice.delete()
    assert registry.end(row, EndReason.REVOKED) is False


@pytest.mark.parametrize("name", ["start", "end", "end_all", "live_of"])
def test_each_function_has_an_async_twin(name):
    assert callable(getattr(registry, name))
    assert iscoroutinefunction(getattr(registry, f"a{name}"))


async def test_the_async_twins_do_the_same(alice):
    await AsyncBrowser().sign_in()
    (row,) = await registry.alive_of(alice)
    assert await registry.aend(row, EndReason.REVOKED) is True
    assert await registry.aend_all(alice, EndReason.REVOKED) == 0
    assert await registry.alive_of(alice) == []


def test_logins_are_ordered_without_clocks(three):
    assert [row.serial for row in three] == sorted({row.serial for row in three})


def test_inv7_no_key_is_in_the_log_or_an_error(alice, caplog, settings):
    caplog.set_level(logging.DEBUG, logger="live_single_session")
    browsers = [Browser(), Browser(raise_request_exception=False), Browser()]
    browsers[0].sign_in()
    settings.LIVE_SINGLE_SESSION = {"LIMIT": lambda user, request, slot: 0}
    browsers[1].post_json("/api/login/", {"username": "alice"})
    with pytest.raises(Exception, match="LIMIT") as error:
        browsers[2].force_login(alice)
    settings.LIVE_SINGLE_SESSION = {}
    browsers[2].sign_in()
    browsers[2].post("/api/logout/")
    lines = [vars(record) for record in caplog.records if "live_single" in record.name]
    shown = repr(lines) + repr(error.value) + repr(list(UserSession.objects.all()))
    assert "ended" in shown
    secrets = {browser.cookie for browser in browsers}
    secrets |= set(UserSession.objects.values_list("key_digest", flat=True))
    for secret in secrets - {"", None}:
        assert secret not in shown
