"""No token, and no password, in a log line, an error, a report of one, or a repr."""

import logging
import uuid

import pytest

from live_single_session.contrib.simplejwt import SessionEnded
from live_single_session.contrib.simplejwt.bearer import user_of
from live_single_session.notices import notice_of_unknown
from tests.contrib.simplejwt.bad_tokens import BAD
from tests.site.people import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def assert_absent(secrets, text):
    """Not even in pieces: reports break long values into lines."""
    for secret in secrets:
        end = secret[-40:]  # of a token: its signature, the part that is secret
        pieces = [end[start : start + 12] for start in range(len(end) - 11)]
        assert not [piece for piece in pieces if piece in text]


def test_inv7_log_lines(alice, new_app, caplog):
    caplog.set_level(logging.DEBUG)
    first, second = new_app(), new_app()
    first.obtain()
    second.obtain()
    secrets = [first.access_token, first.refresh_token, second.access_token, PASSWORD]
    for bad in BAD.values():
        first.access_token = bad(second.access_token)
        first.me()
        if len(first.access_token) > 20:
            secrets.append(first.access_token)
    first.refresh()
    second.log_out()
    second.me()
    assert "ended" in caplog.text
    assert_absent(secrets, caplog.text)


def test_inv7_errors_and_reprs(alice, new_app):
    first = new_app()
    first.obtain()
    token = first.claims
    new_app().obtain()
    with pytest.raises(SessionEnded) as raised:
        user_of(token)
    secrets = [first.access_token, first.refresh_token]
    error = raised.value
    for shown in (error, error.detail, error.get_codes(), error.get_full_details()):
        assert_absent(secrets, f"{shown!r} {shown}")
    assert_absent(secrets, repr(token))


def test_an_error_without_a_reason_shows_what_is_known():
    error = SessionEnded(notice_of_unknown(uuid.uuid4()))
    assert error.detail["reason"] is None
    assert error.get_full_details()["code"]["message"] == "session_ended"
    assert set(error.get_codes()) == set(error.detail) - {"reason"}


@pytest.mark.parametrize("what", ["obtain", "refresh", "verify", "log_out", "me"])
def test_inv7_reports_of_errors(what, alice, new_app, reports, monkeypatch):
    app = new_app()
    app.obtain()
    app.client.raise_request_exception = False

    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr("live_single_session.contrib.simplejwt.bearer.session_id_of", fail)
    monkeypatch.setattr("live_single_session.registry.logins.start_token", fail)
    assert getattr(app, what)().status_code == 500
    [report] = reports
    assert "RuntimeError" in report
    assert_absent([app.access_token, app.refresh_token, PASSWORD], report)
