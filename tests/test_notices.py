"""What the tab of an ended session is told, and in which words."""

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils.translation import get_language, override

from live_single_session.models import EndReason, UserSession
from live_single_session.notices import (
    EndNotice,
    in_language_of,
    login_url,
    message,
    notice_of,
    notice_of_unknown,
    title,
)
from tests.helpers.browsers import FIREFOX

ENDED_AT = datetime(2026, 11, 23, 15, 4, 5, 678901, UTC)


def session(reason=EndReason.SUPERSEDED, **fields):
    newer = UserSession(user_agent=FIREFOX, ip="192.0.2.7", session_key="secret-new")
    values = {"ended_at": ENDED_AT, "replaced_by": newer, "session_key": "secret-old"}
    return UserSession(end_reason=reason, **{**values, **fields})


def frame(row, signed_in=False):
    notice = EndNotice.unpack(json.loads(json.dumps(notice_of(row).pack())))
    return notice.frame(signed_in=signed_in)


def test_a_superseded_session_is_told_all_that_the_contract_names():
    row = session()
    assert frame(row) == {
        "type": "session.ended",
        "session": str(row.pk),
        "reason": "superseded",
        "at": "2026-11-23T15:04:05.678901Z",
        "by": {"device": "Firefox on Linux", "ip": None},
        "signed_in": False,
        "title": "You’ve been signed out here",
        "message": "You signed in on Firefox on Linux, so you were signed out here.",
        "login_url": "/accounts/login/",
    }


@pytest.mark.parametrize("signed_in", [True, False])
def test_whether_the_browser_is_signed_in_again_is_told(signed_in):
    assert frame(session(), signed_in)["signed_in"] is signed_in


def test_at_is_utc_whatever_the_database_gives():
    there = ENDED_AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert frame(session(ended_at=there))["at"] == "2026-11-23T15:04:05.678901Z"


@pytest.mark.parametrize(
    ("disclosed", "device", "ip", "has_time"),
    [
        (("device", "time"), "Firefox on Linux", None, True),
        (("device", "time", "ip"), "Firefox on Linux", "192.0.2.7", True),
        (("ip",), None, "192.0.2.7", False),
        (("time",), None, None, True),
        ((), None, None, False),
    ],
)
def test_inv7_no_more_is_told_than_disclose_allows(settings, disclosed, device, ip, has_time):
    settings.LIVE_SINGLE_SESSION = {"DISCLOSE": disclosed}
    told = frame(session())
    assert told["by"] == {"device": device, "ip": ip}
    assert (told["at"] is not None) == has_time
    assert ("Firefox" in json.dumps(told)) == (device is not None)
    assert ("192.0.2.7" in json.dumps(told)) == (ip is not None)


@pytest.mark.parametrize(
    ("reason", "at"),
    [
        (EndReason.LOGGED_OUT, "2026-11-23T15:04:05.678901Z"),
        (EndReason.PASSWORD_CHANGED, "2026-11-23T15:04:05.678901Z"),
        (EndReason.USER_SWITCHED, None),
    ],
)
def test_disclose_hides_the_time_of_a_login_and_nothing_else(settings, reason, at):
    settings.LIVE_SINGLE_SESSION = {"DISCLOSE": ()}
    assert frame(session(reason))["at"] == at


@pytest.mark.parametrize("reason", [r for r in EndReason if r != EndReason.SUPERSEDED])
def test_by_is_null_unless_a_newer_login_took_the_place(reason):
    assert frame(session(reason))["by"] is None


def test_by_is_null_where_the_newer_row_is_gone():
    assert frame(session(replaced_by=None))["by"] is None


def test_an_unknown_device_is_null():
    newer = UserSession(user_agent="")
    told = frame(session(replaced_by=newer))
    assert told["by"] == {"device": None, "ip": None}
    assert "(" not in told["message"]


@pytest.mark.parametrize("reason", EndReason)
def test_each_reason_has_words_of_its_own(reason):
    assert title(reason)
    assert message(reason)
    assert len({message(other) for other in EndReason}) == len(EndReason)


def test_a_reason_that_only_a_later_version_knows_has_words_too():
    told = frame(session("struck_by_lightning"))
    assert told["reason"] == "struck_by_lightning"
    assert told["title"] == told["message"] == "You were signed out"


@pytest.mark.parametrize(("user_is_gone", "reason"), [(True, "deactivated"), (False, None)])
def test_inv9_a_row_that_is_gone_has_a_reason_only_with_its_user(user_is_gone, reason):
    gone = uuid.uuid4()
    notice = notice_of_unknown(gone, user_is_gone=user_is_gone)
    told = notice.frame(signed_in=False)
    assert (told["session"], told["reason"]) == (str(gone), reason)
    assert (told["at"], told["by"]) == (None, None)
    assert notice.code == (reason or "unknown")


def test_inv7_no_key_is_told():
    row = session()
    assert "secret" not in json.dumps(notice_of(row).pack()) + repr(notice_of(row))


def test_what_a_later_version_of_the_package_adds_is_ignored():
    packed = notice_of(session()).pack()
    assert (
        EndNotice.unpack({**packed, "new": 1, "by": {**packed["by"], "new": 1}}).by is not None
    )


@pytest.mark.parametrize(
    ("setting", "url"),
    [("/accounts/login/", "/accounts/login/"), ("login", "/accounts/login/"), ("sso", "sso")],
)
def test_login_url_is_the_site_s(settings, setting, url):
    settings.LOGIN_URL = setting
    assert login_url() == url


@pytest.mark.parametrize(
    ("headers", "cookies", "language"),
    [
        ([(b"accept-language", b"de-CH,de;q=0.9,en;q=0.1")], {}, "de"),
        ([(b"accept-language", b"tlh")], {}, "en"),
        ([(b"accept-language", b"\xff\x00,;;q=")], {}, "en"),
        ([], {}, "en"),
        ([], {"django_language": "fr"}, "fr"),
    ],
)
def test_the_language_of_a_browser_is_activated(headers, cookies, language):
    with override("ja"):
        with in_language_of({"headers": headers, "cookies": cookies}):
            assert get_language() == language
        assert get_language() == "ja"
