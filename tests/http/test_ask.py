"""`ON_LIMIT = "ask"`: the new browser sees where the user is signed in, and chooses."""

import logging
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import checks
from django.urls import path
from django.utils import timezone

from live_single_session import registry
from live_single_session.http import pending_login
from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import API, FIREFOX, PAGE, Browser
from tests.helpers.engines import ENGINES, use_engine
from tests.site import ways_in as site
from tests.site.people import PASSWORD, credentials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]

CHOOSE = "/session/choose/"


@pytest.fixture(autouse=True)
def _ask(policy, alice, bob):
    policy(ON_LIMIT="ask")


def choose(browser, choice="continue", headers=PAGE, **more):
    return browser.post(CHOOSE, {"choice": choice, **more}, headers=headers)


@pytest.mark.parametrize("path", ["/accounts/login/", "/api/login/", "/async/api/login/"])
def test_a_page_is_asked_and_nothing_is_open_before(laptop, phone, path):
    laptop.sign_in()
    response = (
        phone.fill_in()
        if path.startswith("/acc")
        else phone.try_to_sign_in(path=path, headers=PAGE)
    )
    assert response["Location"] == CHOOSE
    page = phone.get(CHOOSE, headers=PAGE)
    assert "Firefox on Linux" in page.text
    assert "Signed in just now" in page.text
    assert "no-store" in page["Cache-Control"]
    assert phone.who() is None
    assert phone.get("/private/", headers=PAGE).status_code == 302
    assert phone.get("/api/private/", headers=API).status_code == 401
    assert laptop.who() == "alice"
    assert UserSession.objects.count() == 1


def test_continuing_signs_out_there_and_in_here(laptop, phone):
    laptop.sign_in()
    phone.fill_in(next="/private/?draft=1")
    response = choose(phone)
    assert response["Location"] == "/private/?draft=1"
    assert phone.who() == "alice"
    assert laptop.who() is None
    old, new = UserSession.objects.order_by("serial")
    assert (old.end_reason, old.replaced_by) == (EndReason.SUPERSEDED, new)
    assert new.session_key == phone.cookie


def test_cancelling_changes_nothing(laptop, phone):
    laptop.sign_in()
    phone.fill_in(next="/private/")
    response = choose(phone, "cancel")
    assert response["Location"] == "/accounts/login/?next=/private/"
    assert "Nothing has changed" in phone.get(response["Location"], headers=PAGE).text
    assert laptop.who() == "alice"
    assert choose(phone).status_code == 302
    assert phone.who() is None


def test_json_clients_are_told_how(laptop, phone):
    laptop.sign_in()
    response = phone.try_to_sign_in()
    assert response.status_code == 409
    body = response.json()
    assert body["code"] == "session_limit"
    assert body["choose_url"] == CHOOSE
    assert body["choices"] == ["continue", "cancel"]
    assert body["end"] == [body["sessions"][0]["session"]]
    assert 0 < body["expires_in"] <= 120
    assert [place["device"] for place in body["sessions"]] == ["Firefox on Linux"]
    again = phone.get(CHOOSE, headers=API)
    assert (again.status_code, again.json()["code"]) == (200, "session_limit")

    answer = phone.post_json(CHOOSE, {"choice": "continue"}, headers=API)
    assert answer.status_code == 200
    row = UserSession.objects.live().get()
    assert answer.json() == {"code": "signed_in", "session": str(row.pk), "next": "/private/"}
    assert phone.who() == "alice"
    assert laptop.who() is None


DEEP = pytest.param("[" * 200_000, id="deep")


@pytest.mark.parametrize("body", ["[1]", "{", '{"choice": "perhaps"}', "", DEEP])
def test_a_choice_that_is_none(laptop, phone, body):
    laptop.sign_in()
    phone.try_to_sign_in()
    response = phone.post_json(CHOOSE, body, headers=API)
    assert response.status_code == 400
    assert choose(phone).status_code == 302
    assert phone.who() == "alice"


def test_the_choice_is_protected_from_other_sites(laptop):
    laptop.sign_in()
    phone = Browser(enforce_csrf_checks=True)
    phone.try_to_sign_in()  # exempt in the test site
    assert choose(phone).status_code == 403
    assert phone.who() is None
    token = phone.cookies["csrftoken"].value
    assert choose(phone, csrfmiddlewaretoken=token).status_code == 302
    assert phone.who() == "alice"


def test_it_works_once(laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    stolen = phone.cookie
    choose(phone)
    thief = Browser()
    thief.cookies["sessionid"] = stolen
    assert choose(thief, headers=API).status_code == 401
    assert thief.who() is None
    assert phone.who() == "alice"


def test_a_copy_of_a_signed_cookie_works_no_second_time(
    laptop, phone, settings, monkeypatch, tmp_path
):
    """No server can delete it: but it is bound to the login that it was to become."""
    use_engine("signed_cookies", settings, monkeypatch, tmp_path, None)
    laptop.sign_in()
    phone.try_to_sign_in()
    copy = phone.cookie
    choose(phone)
    phone.post("/api/logout/")
    thief = Browser()
    thief.cookies["sessionid"] = copy
    response = choose(thief, headers=API)
    assert (response.status_code, response.json()["code"]) == (401, "not_signed_in")
    thief.cookies["sessionid"] = copy
    assert thief.who() is None
    assert not UserSession.objects.live().exists()


def test_a_double_click_leaves_the_new_cookie_alone(laptop, phone):
    """The second request carries the old cookie; its answer must not remove the new one."""
    laptop.sign_in()
    phone.try_to_sign_in()
    twin = Browser()
    twin.cookie = phone.cookie
    choose(phone)
    response = choose(twin, next="/private/?draft=1")
    assert response["Location"] == "/private/?draft=1"
    assert "sessionid" not in response.cookies


@pytest.mark.parametrize("storage", ["session.SessionStorage", "fallback.FallbackStorage"])
def test_inv6_two_clicks_at_once_sign_nobody_out(settings, laptop, phone, storage):
    """The second one's message is not worth a session, whose cookie would replace the new."""
    settings.MESSAGE_STORAGE = f"django.contrib.messages.storage.{storage}"
    laptop.sign_in()
    phone.fill_in()
    twin = Browser()
    twin.cookie = phone.cookie
    asked = Session.objects.get(session_key=phone.cookie)
    choose(phone)
    asked.save(force_insert=True)  # as the second request has loaded it
    response = choose(twin)
    assert response.status_code == 302
    assert "sessionid" not in response.cookies
    assert phone.who() == "alice"


def test_a_login_from_elsewhere_meanwhile_asks_for_the_password_again(laptop, phone):
    """What signed in since was not part of the choice."""
    laptop.sign_in()
    phone.try_to_sign_in()
    laptop.post("/api/logout/")
    tablet = Browser()
    tablet.sign_in()
    response = choose(phone)
    assert response["Location"] == "/accounts/login/?next=/private/"
    assert "sessionid" not in response.cookies
    assert tablet.who() == "alice"
    assert phone.who() is None


def test_two_browsers_that_are_asked_cannot_both_continue(laptop, phone):
    laptop.sign_in()
    tablet = Browser()
    phone.try_to_sign_in()
    tablet.try_to_sign_in()
    choose(phone)
    choose(tablet)
    assert (phone.who(), tablet.who(), laptop.who()) == ("alice", None, None)
    assert UserSession.objects.live().count() == 1


def test_it_expires_after_two_minutes(laptop, phone, monkeypatch):
    laptop.sign_in()
    phone.try_to_sign_in()
    late = pending_login.time.time() + 121
    monkeypatch.setattr(pending_login.time, "time", lambda: late)
    response = choose(phone)
    assert response["Location"] == "/accounts/login/?next=/private/"
    assert "took too long" in phone.get(response["Location"], headers=PAGE).text
    assert (phone.who(), laptop.who()) == (None, "alice")
    assert pending_login.KEY not in phone.session


def test_a_new_password_is_asked_for(alice, laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    alice.set_password(PASSWORD + "!")
    alice.save()
    choose(phone)
    assert phone.who() is None


def test_who_was_deactivated_meanwhile_stays_out(alice, laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    alice.is_active = False
    alice.save()
    choose(phone)
    assert phone.who() is None
    assert not UserSession.objects.live().exists()


def test_a_backend_that_was_removed_meanwhile(laptop, phone, settings):
    laptop.sign_in()
    phone.try_to_sign_in()
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.AllowAllUsersModelBackend"
    ]
    choose(phone)
    assert phone.who() is None


def test_a_deployment_meanwhile(laptop, phone):
    """What an older or newer version has left in the session breaks nothing."""
    laptop.sign_in()
    phone.try_to_sign_in()
    session = phone.session
    session[pending_login.KEY]["later"] = 1
    session.save()
    assert choose(phone).status_code == 302
    assert phone.who() is None
    assert choose(phone, headers=API).status_code == 401


def test_whoever_signs_in_otherwise_has_nothing_pending(laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    phone.sign_in("bob")
    assert pending_login.KEY not in phone.session
    choose(phone)
    assert phone.who() == "bob"
    assert laptop.who() == "alice"


def test_a_place_that_became_free_is_taken(laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    laptop.post("/api/logout/")
    assert "You may sign in here now." in phone.get(CHOOSE, headers=PAGE).text
    choose(phone)
    assert phone.who() == "alice"


def test_the_admin_login(carol, laptop, phone):
    laptop.sign_in("carol")
    response = phone.fill_in("/admin/login/?next=/admin/", name="carol", next="/admin/auth/")
    assert response["Location"] == CHOOSE
    assert choose(phone)["Location"] == "/admin/auth/"
    assert phone.get("/admin/auth/", headers=PAGE).status_code == 200
    laptop.fill_in("/admin/login/?next=/admin/", name="carol")
    assert choose(laptop, "cancel")["Location"] == "/admin/login/?next=/admin/"


def test_a_login_view_s_own_next_page(laptop, phone):
    laptop.sign_in()
    phone.fill_in("/staff-login/")
    assert choose(phone)["Location"] == "/whoami/"


def test_a_second_factor_is_kept(laptop, phone):
    """What the site keeps in the session beside the login is there after the choice."""
    laptop.sign_in()
    phone.post("/first-factor/", credentials("alice"))
    assert phone.post("/second-factor/", headers=PAGE)["Location"] == CHOOSE
    assert phone.get("/device/").json() == {"device": None}
    choose(phone)
    assert phone.who() == "alice"
    assert phone.get("/device/").json() == {"device": "authenticator"}


def test_with_a_limit_of_two_the_oldest_gives_way(policy, laptop, phone):
    policy(ON_LIMIT="ask", LIMIT=2)
    laptop.sign_in()
    phone.sign_in()
    desktop = Browser(headers={"User-Agent": FIREFOX})
    desktop.try_to_sign_in()
    page = desktop.get(CHOOSE, headers=PAGE).text
    assert "you will be signed out on one of them" in page
    assert page.index("Mobile Safari") < page.index("Firefox") < page.index("checked")
    choose(desktop)
    assert (laptop.who(), phone.who(), desktop.who()) == (None, "alice", "alice")


def test_old_sign_ins_are_told_in_words(policy, laptop, phone):
    policy(ON_LIMIT="ask", ACTIVITY_SECONDS=60)
    laptop.sign_in()
    now = timezone.now()
    UserSession.objects.update(
        started_at=now - timedelta(hours=3), last_seen_at=now - timedelta(minutes=5)
    )
    phone.try_to_sign_in()
    page = phone.get(CHOOSE, headers=PAGE).text.replace("\xa0", " ")
    assert "Signed in 3 hours ago · last seen 5 minutes ago" in page


def test_it_is_logged_but_not_as_a_refusal(laptop, phone, refused, caplog):
    laptop.sign_in()
    with caplog.at_level(logging.INFO, "live_single_session"):
        phone.try_to_sign_in()
    assert refused == []
    (line,) = [r for r in caplog.records if "waits for a choice" in r.message]
    assert line.event == "asked"


def test_nothing_of_the_waiting_login_shows(laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    assert "_auth_user_id" not in phone.session
    waiting = pending_login.of_session(phone.session)
    assert waiting.auth_hash not in repr(waiting)
    page = phone.get(CHOOSE, headers=PAGE).text
    assert waiting.auth_hash not in page
    assert laptop.cookie not in page


def test_nothing_on_the_page_is_inline(laptop, phone):
    laptop.sign_in()
    phone.try_to_sign_in()
    page = phone.get(CHOOSE, headers=PAGE).text
    assert not re.search(r"<script(?![^>]* src=)", page)
    assert "<style" not in page
    assert " style=" not in page


@pytest.mark.parametrize("engine", ENGINES)
def test_with_each_engine(laptop, phone, engine, settings, monkeypatch, tmp_path):
    use_engine(engine, settings, monkeypatch, tmp_path, None)
    laptop.sign_in()
    phone.fill_in()
    choose(phone)
    assert (laptop.who(), phone.who()) == (None, "alice")


def test_under_atomic_requests(laptop, phone, monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    laptop.sign_in()
    phone.fill_in()
    choose(phone)
    assert (laptop.who(), phone.who()) == (None, "alice")
    assert Session.objects.count() == 1


class WithoutSessionUrls:
    """A site that left the package's addresses out."""

    urlpatterns = [
        route for route in site.urlpatterns if "session/" not in str(route.pattern)
    ] + [path("elsewhere/", site.device)]


def test_without_its_page_it_refuses(laptop, phone, settings, refused):
    settings.ROOT_URLCONF = WithoutSessionUrls
    laptop.sign_in()
    body = phone.try_to_sign_in().json()
    assert "choose_url" not in body
    assert phone.fill_in()["Location"] == "/accounts/login/?refused=limit"
    assert len(refused) == 2
    (warning,) = [w for w in checks.run_checks() if w.id == "live_single_session.W009"]
    assert "session/" in warning.hint


def test_with_its_page_there_is_nothing_to_warn_of():
    assert "live_single_session.W009" not in [w.id for w in checks.run_checks()]


def test_exempt_sign_ins_are_never_asked(laptop, alice, rf):
    laptop.sign_in()
    request = rf.get("/")
    request.session = Browser().session
    request.single_session_exempt = True
    registry.start(alice, request)
    assert UserSession.objects.live().count() == 2
    assert settings.LIVE_SINGLE_SESSION["ON_LIMIT"] == "ask"


# A client without cookies, which signs in again with its user's choice


def sign_in_taking_over(browser, number, path="/api/login/"):
    headers = {**API, "Session-Take-Over": number}
    return browser.try_to_sign_in(path=path, headers=headers)


def expected_number(alice):
    return str(1 + UserSession.objects.of(alice).order_by("serial").last().serial)


@pytest.mark.parametrize("twin", ["", "/async"])
def test_inv1_a_client_without_cookies_takes_over_once(laptop, phone, alice, twin):
    laptop.sign_in()
    number = expected_number(alice)
    assert sign_in_taking_over(phone, number, f"{twin}/api/login/").status_code == 200
    assert [laptop.who(), phone.who()] == [None, "alice"]
    assert sign_in_taking_over(Browser(), number).status_code == 409
    assert phone.who() == "alice"


@pytest.mark.parametrize("number", ["", "0", "-1", "one", "²", "9" * 5000, "1.5", "٣"])
def test_inv1_a_wrong_number_takes_nothing_over(laptop, phone, number):
    laptop.sign_in()
    assert sign_in_taking_over(phone, number).status_code == 409
    assert [laptop.who(), phone.who()] == ["alice", None]


def test_inv1_nothing_is_taken_over_where_nobody_is_asked(laptop, phone, policy, alice):
    policy(ON_LIMIT="refuse")
    laptop.sign_in()
    response = sign_in_taking_over(phone, expected_number(alice))
    assert response.status_code == 409
    assert "take_over" not in response.json()
    assert laptop.who() == "alice"
