"""The page under session/, without a browser: who sees what, and who ends whom."""

import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import API, FIREFOX, PAGE, SAFARI, Browser

ADDRESS = "/session/"
OTHERS = "/session/end-others/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limit(settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}


@pytest.fixture
def laptop(alice):
    return Browser.signed_in("alice", headers={"User-Agent": FIREFOX})


@pytest.fixture
def phone(alice):
    return Browser.signed_in("alice", headers={"User-Agent": SAFARI})


def _page(browser, path=ADDRESS):
    response = browser.get(path, headers=PAGE)
    assert response.status_code == 200
    return response.content.decode()


def _data(browser, path=ADDRESS):
    response = browser.get(path, headers=API)
    assert response.status_code == 200
    return response.json()


def _id_of(browser):
    return browser.session["_live_single_session"]


def _row(browser):
    return UserSession.objects.get(session_key=browser.cookie)


def _end(session_id):
    return f"{ADDRESS}{session_id}/end/"


# What it shows


def test_shows_this_device_first_then_the_others_then_what_ended(laptop, phone):
    tablet = Browser.signed_in("alice", headers={"User-Agent": ""})
    tablet.post("/api/logout/")

    page = _page(laptop)

    names = re.findall(r"(?:<h2[^>]*>|<bdi>)([^<\d.]+)<", page)
    assert [name.strip() for name in names] == [
        "This device",
        "Firefox on Linux",
        "Other devices",
        "Mobile Safari on iOS",
        "Signed out recently",
        "Unknown device",
    ]
    assert re.search(r"<details[^>]*>\s*<summary", page)


def test_shows_addresses_but_no_loopback_one(laptop, alice):
    assert "127.0.0.1" not in _page(laptop)
    UserSession.objects.update(ip="192.0.2.7")
    assert "192.0.2.7" in _page(laptop)
    UserSession.objects.update(ip="::1")
    assert "::1" not in _page(laptop)
    assert _data(laptop)["sessions"][0]["ip"] == "::1"


def test_says_in_words_how_long_ago(laptop, phone):
    hours = timezone.now() - timedelta(hours=3)
    UserSession.objects.filter(pk=_id_of(phone)).update(started_at=hours)
    tablet = Browser.signed_in("alice")
    tablet.post("/api/logout/")

    page = _page(laptop).replace("\xa0", " ")
    assert "Signed in 3 hours ago" in page
    assert "Signed out just now" in page


def test_leads_back_to_the_site(laptop, settings):
    assert '<a href="/private/">Back to testserver</a>' in _page(laptop)
    settings.LOGIN_REDIRECT_URL = "/accounts/profile/"  # Django's default: there is none
    assert '<a href="/">Back to testserver</a>' in _page(laptop)


def test_what_ended_is_open_where_there_is_nothing_else(laptop, alice):
    UserSession.objects.bulk_create(
        UserSession(user=alice, serial=n + 10, ended_at=timezone.now()) for n in range(20)
    )
    assert '<details class="recent">' in _page(laptop)
    assert '<details class="recent" open>' in _page(laptop, f"{ADDRESS}?page=2")


def test_says_how_each_session_ended(laptop, phone):
    laptop.post(_end(_id_of(phone)), headers=PAGE)

    assert "Ended by the user" in _page(laptop)


def test_somebody_who_is_not_signed_in_is_sent_to_the_login_page(db):
    response = Client().get(ADDRESS, headers=PAGE)

    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/session/"
    response = Client().get(ADDRESS, headers=API)
    assert (response.status_code, response.json()) == (401, {"code": "not_signed_in"})


def test_is_json_for_scripts(laptop, phone):
    data = _data(laptop)

    assert {key: data[key] for key in ("count", "page", "pages", "next", "previous")} == {
        "count": 2,
        "page": 1,
        "pages": 1,
        "next": None,
        "previous": None,
    }
    mine, other = data["sessions"]
    assert (mine["id"], mine["current"], mine["live"]) == (_id_of(laptop), True, True)
    assert (other["id"], other["current"], other["device"], other["device_class"]) == (
        _id_of(phone),
        False,
        "Mobile Safari on iOS",
        "phone",
    )


def test_a_script_may_ask_for_the_page(laptop):
    headers = {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}
    response = laptop.get(ADDRESS, headers=headers)

    assert response["Content-Type"].startswith("text/html")
    assert "Accept" in response["Vary"]
    assert "no-store" in response["Cache-Control"]


def test_inv7_no_session_key_is_shown(laptop, phone):
    shown = [_page(laptop), str(_data(laptop)), _page(laptop, _end(_id_of(phone)))]

    for text in shown:
        for row in UserSession.objects.all():
            assert row.session_key not in text
            assert row.key_digest not in text


def test_tells_nobody_what_is_not_recorded(alice, settings):
    settings.LIVE_SINGLE_SESSION = {"RECORD_CLIENT": False}
    browser = Browser.signed_in("alice", headers={"User-Agent": FIREFOX})

    assert "Unknown device" in _page(browser)
    assert "IP address" not in _page(browser)


def test_offers_help_to_those_who_see_a_stranger(laptop, settings):
    assert "/help/" not in _page(laptop)

    settings.LIVE_SINGLE_SESSION = {"LIMIT": None, "NOT_YOU_URL": "/help/"}

    assert 'href="/help/"' in _page(laptop)


def test_notices_sessions_that_expired_on_their_own(laptop, phone):
    past = timezone.now() - timedelta(days=1)
    UserSession.objects.filter(pk=_id_of(phone)).update(expires_at=past)
    assert _data(laptop)["sessions"][1]["live"]  # the engine still has it

    Session.objects.filter(session_key=phone.cookie).delete()

    assert _data(laptop)["sessions"][1]["end_reason"] == EndReason.EXPIRED


# Ending one


def test_ends_one_after_it_was_confirmed(laptop, phone):
    confirmation = _page(laptop, _end(_id_of(phone)))
    assert "Mobile Safari on iOS" in confirmation
    assert "csrfmiddlewaretoken" in confirmation
    assert phone.who() == "alice"

    response = laptop.post(_end(_id_of(phone)), headers=PAGE)

    assert (response.status_code, response["Location"]) == (302, ADDRESS)
    told = [str(message) for message in get_messages(response.wsgi_request)]
    assert told == ["Mobile Safari on iOS was signed out."]
    row = UserSession.objects.get(user_agent=SAFARI)
    assert row.end_reason == EndReason.REVOKED
    assert phone.who() is None
    assert laptop.who() == "alice"


def test_a_second_click_does_no_harm(laptop, phone):
    address = _end(_id_of(phone))
    for ended in (1, 0):
        assert laptop.post(address, headers=API).json() == {"ended": ended}
    response = laptop.get(address, headers=PAGE)
    assert (response.status_code, response["Location"]) == (302, ADDRESS)


def test_ending_this_session_is_signing_out(laptop, phone):
    response = laptop.post(_end(_id_of(laptop)), headers=PAGE)

    assert response["Location"] == "/accounts/login/"
    assert laptop.who() is None
    assert phone.who() == "alice"
    assert UserSession.objects.ended().get().end_reason == EndReason.LOGGED_OUT


def test_ends_all_others_and_no_token_is_forgotten(laptop, phone, alice):
    UserSession.objects.create(user=alice, serial=99, kind=UserSession.Kind.TOKEN)
    assert "2 other devices will be signed out" in _page(laptop, OTHERS)

    response = laptop.post(OTHERS, headers=API)

    assert response.json() == {"ended": 2}
    assert phone.who() is None
    assert laptop.who() == "alice"
    assert UserSession.objects.live().get().pk == uuid.UUID(_id_of(laptop))


def test_a_get_never_ends_anything(laptop, phone):
    for path in (_end(_id_of(phone)), OTHERS):
        for headers in (PAGE, API):
            laptop.get(path, headers=headers)
            laptop.head(path, headers=headers)

    assert UserSession.objects.live().count() == 2


# Its name


def _name(session_id):
    return f"{ADDRESS}{session_id}/name/"


def test_a_device_is_named_and_what_it_is_stays_to_be_seen(laptop, phone):
    assert _name(_id_of(phone)) in _page(laptop)
    assert "Mobile Safari on iOS" in _page(laptop, _name(_id_of(phone)))

    answer = laptop.post(_name(_id_of(phone)), {"name": " Kitchen\u202e\x00 "}, headers=PAGE)

    assert (answer.status_code, answer["Location"]) == (302, ADDRESS)
    page = _page(laptop)
    assert "<bdi>Kitchen</bdi>" in page
    assert "<bdi>Mobile Safari on iOS</bdi>" in page
    assert phone.who() == "alice"

    answer = laptop.post(_name(_id_of(phone)), {"name": ""}, headers=API)
    assert answer.json() == {"device": "Mobile Safari on iOS"}
    assert "Kitchen" not in _page(laptop)


def test_markup_in_a_name_stays_text_and_is_cut(laptop):
    name = "<img src=x>" + 200 * "a"
    answer = laptop.post_json(_name(_id_of(laptop)), {"name": name}, headers=API)
    assert answer.json() == {"device": name[:100]}
    assert "&lt;img src=x&gt;aaa" in _page(laptop)


@pytest.mark.parametrize("sent", [{}, {"name": 7}, {"name": None}, [1]])
def test_what_is_no_name_changes_nothing(laptop, sent):
    assert laptop.post_json(_name(_id_of(laptop)), sent, headers=API).status_code == 400
    assert _row(laptop).device == ""


def test_nobody_names_what_is_not_theirs_or_has_ended(laptop, phone, bob):
    ended, bobs = _id_of(phone), Browser.signed_in("bob")
    phone.sign_out()
    for session_id in (ended, _id_of(bobs), uuid.uuid4()):
        for headers in (PAGE, API):
            answer = laptop.post(_name(session_id), {"name": "mine"}, headers=headers)
            assert answer.status_code == 404
    assert not UserSession.objects.filter(device="mine").exists()


# Nobody else's


def test_nobody_sees_or_ends_somebody_elses_session(laptop, bob):
    bobs = Browser.signed_in("bob", headers={"User-Agent": SAFARI})

    assert "Mobile Safari" not in _page(laptop)
    assert _data(laptop)["count"] == 1
    for method in (laptop.get, laptop.post):
        for headers in (PAGE, API):
            assert method(_end(_id_of(bobs)), headers=headers).status_code == 404
    laptop.post(OTHERS, headers=API)
    assert bobs.who() == "bob"


@pytest.mark.parametrize("unknown", [uuid.uuid4(), "not-a-uuid", "..", "%00"])
def test_what_there_is_not_is_not_found_in_the_same_words(laptop, bob, unknown):
    response = laptop.post(_end(unknown), headers=API)

    assert response.status_code == 404


def test_posts_need_a_csrf_token(alice, phone):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(alice)

    for path in (_end(_id_of(phone)), OTHERS):
        assert browser.post(path, headers=PAGE).status_code == 403
    assert phone.who() == "alice"


def test_posts_of_strangers_end_nothing(phone):
    for path in (_end(_id_of(phone)), OTHERS):
        assert Client().post(path, headers=API).status_code == 401
        assert Client().post(path, headers=PAGE).status_code == 302
    assert phone.who() == "alice"


# Many, and odd ones


def test_500_sessions_are_paged_through(laptop, alice):
    UserSession.objects.bulk_create(
        UserSession(user=alice, serial=n + 10, ended_at=timezone.now() if n % 2 else None)
        for n in range(499)
    )
    seen, path = [], ADDRESS
    while path:
        assert "Page" in _page(laptop, path)
        data = _data(laptop, path)
        seen += [session["id"] for session in data["sessions"]]
        path = data["next"]

    assert data["pages"] == 25
    assert len(seen) == len(set(seen)) == data["count"] == 500
    assert seen[0] == _id_of(laptop)


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "%00", ""])
def test_a_page_that_there_is_not_is_one_that_there_is(laptop, page):
    assert "Firefox on Linux" in _page(laptop, f"{ADDRESS}?page={page}")


# A template of the site's


def test_fits_into_a_base_of_the_sites(laptop, settings, tmp_path):
    folder = tmp_path / "live_single_session"
    folder.mkdir()
    (folder / "base.html").write_text('{% extends "base.html" %}')
    (folder / "sessions.html").write_text(
        '{% extends "live_single_session/page.html" %}{% block main %}'
        "{% for entry in entries %}[{{ entry.device }}]{% endfor %}{% endblock %}"
    )
    templates = {**settings.TEMPLATES[0]}
    templates["DIRS"] = [tmp_path, *templates["DIRS"]]
    settings.TEMPLATES = [templates]

    page = _page(laptop)

    assert "[Firefox on Linux]" in page
    assert "live-single-session-page" not in page
    assert "live-single-session.css" in page


@pytest.mark.parametrize(
    "session_id",
    ["6a02a735-3c3f-c995-19d2-0142cf10ffc9", "00000000-0000-0000-0000-000000000000"],
)
def test_an_id_that_no_row_can_have_is_not_found(laptop, session_id):
    """MariaDB calls some UUIDs an error; nobody who types one gets a 500."""
    assert laptop.post(_end(session_id)).status_code == 404
