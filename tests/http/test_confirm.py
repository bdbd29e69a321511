"""`CONFIRM`: who ends other sessions has to show first that it is them."""

import logging
import re

import pytest
from django.core.cache import cache
from django.http import HttpResponse, JsonResponse

from live_single_session import confirm
from live_single_session.http import tries
from live_single_session.models import EndReason, UserSession
from live_single_session.request_state import serving
from tests.helpers.browsers import API, FIREFOX, PAGE, SAFARI, Browser, reasons
from tests.helpers.engines import ENGINES, use_engine
from tests.helpers.threads import in_threads
from tests.site.people import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

SHIPPED = "live_single_session.confirm.password"
OTHERS = "/session/end-others/"
CHOOSE = "/session/choose/"


@pytest.fixture(autouse=True)
def _password_asked(policy, alice, bob):
    cache.clear()
    policy(LIMIT=None, CONFIRM=SHIPPED)


@pytest.fixture
def owner():
    return Browser.signed_in("alice", headers={"User-Agent": FIREFOX})


@pytest.fixture
def other(owner):
    return Browser.signed_in("alice", headers={"User-Agent": SAFARI})


def thief_of(browser):
    """A browser with a copy of somebody's session."""
    thief = Browser()
    thief.cookie = browser.cookie
    return thief


def end(browser):
    return f"/session/{browser.session_id}/end/"


def code(response):
    return response.status_code, response.json().get("code")


# A thief can't evict the owner


@pytest.mark.parametrize("given", [{}, {"password": ""}, {"password": "guess"}])
def test_a_stolen_session_ends_no_other(owner, other, given):
    thief = thief_of(other)
    for path in (end(owner), OTHERS):
        assert thief.post(path, given, headers=PAGE).status_code == 200
        assert thief.post_json(path, given, headers=API).status_code == 403
    assert owner.who() == "alice"
    assert reasons() == ["", ""]


@pytest.mark.parametrize("path_of", [end, lambda other: OTHERS], ids=["end", "end-others"])
def test_the_password_ends_them(owner, other, path_of):
    path = path_of(other)
    page = owner.get(path, headers=PAGE)
    assert 'autocomplete="current-password"' in page.text
    assert "no-store" in page["Cache-Control"]
    assert owner.post(path, headers=PAGE).status_code == 200
    assert other.who() == "alice"

    done = owner.post(path, {"password": PASSWORD}, headers=PAGE)

    assert (done.status_code, done["Location"]) == (302, "/session/")
    assert (other.who(), owner.who()) == (None, "alice")


def test_json_clients_are_told_how(owner, other):
    assert code(owner.post_json(end(other), headers=API)) == (403, "confirm_password")
    wrong = owner.post_json(end(other), {"password": "guess"}, headers=API)
    assert code(wrong) == (403, "wrong_password")
    right = owner.post_json(end(other), {"password": PASSWORD}, headers=API)
    assert right.json() == {"ended": 1}


@pytest.mark.parametrize("sent", ["[1]", "{", '{"password": ["a"]}', '{"password": 1}', "\xff"])
def test_what_is_no_password_is_none(owner, other, sent):
    response = owner.post(end(other), sent, content_type="application/json", headers=API)
    assert code(response) == (403, "confirm_password")


def test_signing_out_here_needs_no_password(owner, other):
    owner.post(end(owner), headers=PAGE)
    assert (owner.who(), other.who()) == (None, "alice")


def test_a_session_that_has_ended_needs_none(owner, other):
    path = end(other)
    other.sign_out()
    assert owner.post_json(path, headers=API).json() == {"ended": 0}


def test_the_page_says_which_device(owner, other):
    assert "Mobile Safari on iOS" in owner.get(end(other), headers=PAGE).text
    assert "Sign out all other devices?" in owner.get(OTHERS, headers=PAGE).text


# What a confirmation is bound to


def test_it_holds_for_five_minutes_for_that_action_in_that_session(owner, other, monkeypatch):
    third = Browser.signed_in("alice")
    first, second = end(other), end(third)
    owner.post(first, {"password": PASSWORD}, headers=PAGE)
    assert code(owner.post_json(OTHERS, headers=API)) == (403, "confirm_password")
    assert code(third.post_json(end(owner), headers=API)) == (403, "confirm_password")
    now = confirm.time.time()
    for later, status in ((-1, 403), (301, 403), (299, 200)):
        monkeypatch.setattr(confirm.time, "time", lambda later=later: now + later)
        assert owner.post_json(second, headers=API).status_code == status


def test_its_time_is_a_setting(owner, other, policy):
    policy(LIMIT=None, CONFIRM=SHIPPED, CONFIRM_SECONDS=1e-9)
    third = Browser.signed_in("alice")
    assert owner.post_json(end(other), {"password": PASSWORD}, headers=API).status_code == 200
    assert owner.post_json(end(third), headers=API).status_code == 403


def test_it_doesn_t_go_along_to_another_sign_in(owner, other):
    owner.post_json(end(other), {"password": PASSWORD}, headers=API)
    kept = owner.session[confirm.KEY]
    again = Browser.signed_in("alice")
    session = again.session
    session[confirm.KEY] = kept
    session.save()
    assert again.post_json(end(owner), headers=API).status_code == 403


@pytest.mark.parametrize("engine", ENGINES)
def test_with_each_engine(engine, settings, monkeypatch, tmp_path):
    use_engine(engine, settings, monkeypatch, tmp_path, None)
    owner, other = Browser.signed_in("alice"), Browser.signed_in("alice")
    assert owner.post_json(OTHERS, headers=API).status_code == 403
    answer = owner.post_json(OTHERS, {"password": PASSWORD}, headers=API)
    assert answer.json() == {"ended": 1}
    assert other.who() is None
    assert owner.post_json(OTHERS, headers=API).json() == {"ended": 0}


def test_a_confirmation_makes_a_new_key(owner, other):
    """ASVS 7.2.4. Whoever has a copy of the cookie is out, and can use nothing of it."""
    thief = thief_of(owner)
    assert thief.who() == "alice"
    owner.post_json(end(other), {"password": PASSWORD}, headers=API)
    assert owner.cookie != thief.cookie
    assert (owner.who(), thief.who()) == ("alice", None)


# Guessing


def test_guesses_are_throttled_and_lock_nobody_else_out(owner, other):
    thief = thief_of(other)
    for _ in range(5):
        guess = thief.post_json(OTHERS, {"password": "guess"}, headers=API)
        assert code(guess) == (403, "wrong_password")
    locked = thief.post_json(OTHERS, {"password": PASSWORD}, headers=API)
    assert code(locked) == (429, "too_many_tries")
    assert locked["Retry-After"] == "300"
    page = thief.post(OTHERS, {"password": PASSWORD}, headers=PAGE)
    assert page.status_code == 429
    assert 'name="password"' not in page.text

    assert owner.post_json(OTHERS, {"password": PASSWORD}, headers=API).json() == {"ended": 1}
    assert thief.who() is None


def test_a_day_has_a_bound_of_its_own(owner, other, monkeypatch):
    answers = []
    for _ in range(6):
        cache.delete(tries._key(f"{owner.session['_auth_user_id']}.{owner.session_id}", 300))
        answers += [
            owner.post_json(OTHERS, {"password": "guess"}, headers=API).status_code
            for _ in range(5)
        ]
    assert answers == 20 * [403] + 10 * [429]


def test_guesses_at_once_are_counted_one_by_one():
    with in_threads(20) as submit:
        counted = [submit(tries.count, "somebody") for _ in range(20)]
    assert sorted(each.result() for each in counted) == 5 * [0] + 15 * [300]


def test_a_right_one_forgets_the_wrong_ones(owner, other):
    third = Browser.signed_in("alice")
    for _ in range(2):
        for _ in range(4):
            owner.post_json(OTHERS, {"password": "guess"}, headers=API)
        owner.post_json(end(other), {"password": PASSWORD}, headers=API)
    assert code(owner.post_json(OTHERS, {"password": "guess"}, headers=API))[1] == (
        "wrong_password"
    )
    assert third.who() == "alice"


def test_who_has_no_password_gets_the_same_answers(owner, other, alice, settings):
    with_password = owner.get(OTHERS, headers=PAGE).text
    alice.set_unusable_password()
    type(alice).objects.filter(pk=alice.pk).update(password=alice.password)
    keyless = Browser()
    keyless.force_login(alice)
    without = keyless.get(OTHERS, headers=PAGE).text

    def anonymous(page):
        return [line for line in page.splitlines() if not re.search("csrf|<script", line)]

    assert anonymous(without) == anonymous(with_password)
    assert code(keyless.post_json(OTHERS, {"password": PASSWORD}, headers=API)) == (
        403,
        "wrong_password",
    )


def test_inv7_no_password_is_reported(owner, other, monkeypatch, reports):
    monkeypatch.setattr(tries, "count", lambda name: 1 / 0)
    owner.raise_request_exception = False
    typed = "-".join(["hunter", "secret"])  # a report quotes this file, too
    answer = owner.post(OTHERS, {"password": typed}, headers=PAGE)
    assert answer.status_code == 500
    (report,) = reports
    assert typed not in report


# A site's own


def test_a_site_s_own_is_asked_with_user_and_action(owner, other, policy, alice):
    asked = []

    def confirm_otherwise(request, user, action):
        asked.append((request.method, user.pk, action))
        return JsonResponse({"code": "second_factor"}, status=403)

    policy(LIMIT=None, CONFIRM=confirm_otherwise)
    assert code(owner.post_json(end(other), headers=API)) == (403, "second_factor")
    assert code(owner.post_json(OTHERS, headers=API)) == (403, "second_factor")
    assert owner.get(OTHERS, headers=PAGE).status_code == 403
    assert asked == [
        ("POST", alice.pk, "end"),
        ("POST", alice.pk, "end_others"),
        ("GET", alice.pk, "end_others"),
    ]
    assert other.who() == "alice"


def test_one_that_raises_ends_nothing(owner, other, policy):
    policy(LIMIT=None, CONFIRM=lambda request, user, action: 1 / 0)
    owner.raise_request_exception = False
    assert owner.post_json(OTHERS, headers=API).status_code == 500
    assert other.who() == "alice"


def test_without_one_nobody_is_asked(owner, other, policy, django_assert_num_queries):
    policy(LIMIT=None)
    assert owner.post_json(OTHERS, headers=API).json() == {"ended": 1}


# Taking over


def test_the_sign_in_that_was_just_made_is_enough_to_take_over(laptop, phone, policy):
    policy(ON_LIMIT="ask", CONFIRM=SHIPPED)
    laptop.sign_in()
    phone.fill_in()
    phone.post(CHOOSE, {"choice": "continue"}, headers=PAGE)
    assert (phone.who(), laptop.who()) == ("alice", None)


def test_a_site_s_own_may_stop_a_take_over_and_let_it_go_on_later(laptop, phone, policy, alice):
    asked, answers = [], [HttpResponse("Your code, please")]

    def ask_for_a_code(request, user, action):
        asked.append((user, action))
        return answers.pop() if answers else None

    policy(ON_LIMIT="ask", CONFIRM=ask_for_a_code)
    laptop.sign_in()
    phone.fill_in()
    stopped = phone.post(CHOOSE, {"choice": "continue"}, headers=PAGE)
    assert stopped.text == "Your code, please"
    assert (phone.who(), laptop.who()) == (None, "alice")

    phone.post(CHOOSE, {"choice": "continue"}, headers=PAGE)
    assert (phone.who(), laptop.who()) == ("alice", None)
    assert asked == 2 * [(alice, "take_over")]


def test_where_there_is_place_meanwhile_nobody_is_asked(laptop, phone, policy):
    policy(ON_LIMIT="ask", CONFIRM=lambda request, user, action: HttpResponse("no"))
    laptop.sign_in()
    phone.fill_in()
    laptop.sign_out()
    phone.post(CHOOSE, {"choice": "continue"}, headers=PAGE)
    assert phone.who() == "alice"


# Factors other than the password


def test_a_changed_factor_ends_the_other_sessions(owner, other, alice, bob, rf):
    bobs = Browser.signed_in("bob")
    request = rf.get("/")
    request.session = owner.session
    with serving(request):
        assert confirm.factor_changed(sender=None, user=alice, request=request) == 1
    assert (owner.who(), other.who(), bobs.who()) == ("alice", None, "bob")
    assert UserSession.objects.ended().get().end_reason == EndReason.REVOKED


def test_outside_of_a_request_it_ends_them_all(owner, other, alice):
    assert confirm.factor_changed(alice) == 2


def test_nothing_of_it_is_logged(owner, other, caplog):
    with caplog.at_level(logging.DEBUG):
        owner.post_json(OTHERS, {"password": "hunter2secret"}, headers=API)
    assert "hunter2secret" not in caplog.text
