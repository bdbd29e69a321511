"""`LIMIT` and `SLOT`: a number, a rule of the site's own, or one that breaks."""

import logging

import pytest
from django.core.management import call_command

from live_single_session import policy as rules
from live_single_session.models import UserSession
from tests.helpers.browsers import API, FIREFOX, SAFARI, AsyncBrowser, Browser, who
from tests.site.people import credentials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]


def broken(*login):
    raise LookupError("the tariff table is gone")


def nonsense(user, request, slot):
    return "two"


def by_header(user, request, slot):
    """A tariff that comes with the request; an automated client has no limit."""
    return None if request.headers.get("X-Robot") else 1


def test_staff_have_one_session_and_customers_any(alice, carol, policy):
    policy(LIMIT="live_single_session.policy.staff_only")
    customer = [Browser() for _ in range(3)]
    staff = [Browser() for _ in range(3)]
    for browser in customer:
        browser.sign_in("alice")
    for browser in staff:
        browser.sign_in("carol")
    assert who(*customer) == ["alice"] * 3
    assert who(*staff) == [None, None, "carol"]


@pytest.mark.parametrize("setting", ["LIMIT", "SLOT"])
@pytest.mark.parametrize("mode", ["end_oldest", "refuse", "ask", "observe"])
def test_a_callable_that_raises_fails_the_login_and_nobody_else_s(
    alice, laptop, phone, policy, caplog, setting, mode
):
    policy(ON_LIMIT=mode)
    laptop.sign_in()
    policy(**{"ON_LIMIT": mode, setting: broken})
    phone.raise_request_exception = False
    with caplog.at_level(logging.ERROR, "live_single_session"):
        assert phone.try_to_sign_in().status_code == 500
    assert f"LIVE_SINGLE_SESSION['{setting}'] raised for user {alice.pk}" in caplog.text
    assert "the tariff table is gone" in caplog.text
    assert who(laptop, phone) == ["alice", None]
    assert UserSession.objects.count() == 1


async def test_an_async_login_fails_as_closed(alice, policy):
    browser = AsyncBrowser(raise_request_exception=False)
    policy(LIMIT=broken)
    response = await browser.post_json("/async/api/login/", credentials("alice"))
    assert response.status_code == 500
    assert await browser.who() is None
    assert not await UserSession.objects.aexists()


def test_a_callable_that_returns_nonsense_fails_the_login(alice, laptop, phone, policy, caplog):
    laptop.sign_in()
    policy(LIMIT=nonsense)
    phone.raise_request_exception = False
    assert phone.try_to_sign_in().status_code == 500
    assert "'two'" in caplog.text
    assert who(laptop, phone) == ["alice", None]


def test_a_callable_that_raises_breaks_no_page_of_a_session_to_be_adopted(
    alice, laptop, policy, caplog
):
    policy()
    laptop.force_login(alice)
    session = laptop.session
    del session["_live_single_session"]
    session.save()
    UserSession.objects.all().delete()
    policy(LIMIT=broken)
    assert laptop.who() == "alice"
    assert "LIMIT'] raised" in caplog.text
    policy()
    assert laptop.who() == "alice"
    assert UserSession.objects.count() == 1


def test_a_callable_sees_the_request(alice, laptop, phone, policy):
    policy(LIMIT=by_header)
    laptop.sign_in()
    assert phone.try_to_sign_in(headers={**API, "X-Robot": "1"}).status_code == 200
    assert who(laptop, phone) == ["alice", "alice"]


def test_a_lowered_limit_holds_from_the_next_login(alice, policy):
    policy(LIMIT=3)
    browsers = [Browser() for _ in range(4)]
    for browser in browsers[:3]:
        browser.sign_in()
    policy(LIMIT=2)
    assert who(*browsers[:3]) == ["alice"] * 3
    browsers[3].sign_in()
    assert who(*browsers) == [None, None, "alice", "alice"]


@pytest.mark.parametrize("mode", ["refuse", "ask"])
def test_a_lowered_limit_refuses_until_there_is_a_place(alice, policy, mode):
    policy(LIMIT=3)
    browsers = [Browser() for _ in range(3)]
    for browser in browsers:
        browser.sign_in()
    policy(LIMIT=2, ON_LIMIT=mode)
    newest = Browser()
    assert newest.try_to_sign_in().status_code == 409
    browsers[0].post("/api/logout/")
    assert newest.try_to_sign_in().status_code == 409
    browsers[1].post("/api/logout/")
    assert newest.try_to_sign_in().status_code == 200


class TestSlots:
    @pytest.fixture(autouse=True)
    def _by_device(self, policy, alice):
        policy(SLOT="live_single_session.policy.device_class")

    def test_slots_don_t_disturb_each_other(self, laptop, phone):
        laptop.sign_in()
        phone.sign_in()
        assert who(laptop, phone) == ["alice", "alice"]
        slots = UserSession.objects.order_by("serial").values_list("slot", flat=True)
        assert list(slots) == ["desktop", "phone"]

        other_phone = Browser(headers={"User-Agent": SAFARI})
        other_phone.sign_in()
        assert who(laptop, phone, other_phone) == ["alice", None, "alice"]

    def test_each_slot_has_its_own_limit(self, policy):
        def more_phones(user, request, slot):
            return 2 if rules.device_class(user, request) == "phone" else 1

        policy(SLOT=rules.device_class, LIMIT=more_phones)
        laptops = [Browser(headers={"User-Agent": FIREFOX}) for _ in range(2)]
        phones = [Browser(headers={"User-Agent": SAFARI}) for _ in range(3)]
        for browser in (*laptops, *phones):
            browser.sign_in()
        assert who(*laptops) == [None, "alice"]
        assert who(*phones) == [None, "alice", "alice"]

    def test_one_phone_and_two_desktops(self, policy):
        """By what `LIMIT` is told; also where there is no request, as in `enforce_limits`."""

        def devices(user, request, slot):
            return {"phone": 1, "desktop": 2}[slot]

        policy(SLOT=rules.device_class, LIMIT=None)
        laptops = [Browser(headers={"User-Agent": FIREFOX}) for _ in range(3)]
        phones = [Browser(headers={"User-Agent": SAFARI}) for _ in range(3)]
        for browser in (*laptops, *phones):
            browser.sign_in()
        policy(SLOT=rules.device_class, LIMIT=devices)
        call_command("enforce_limits", verbosity=0)
        assert who(*laptops) == [None, "alice", "alice"]
        assert who(*phones) == [None, None, "alice"]
        for browser in (laptops[0], phones[0]):
            browser.sign_in()
        assert who(*laptops) == ["alice", None, "alice"]
        assert who(*phones) == ["alice", None, None]

    @pytest.mark.parametrize("mode", ["refuse", "ask"])
    def test_a_full_slot_leaves_the_others_open(self, laptop, phone, policy, mode):
        policy(SLOT=rules.device_class, ON_LIMIT=mode)
        laptop.sign_in()
        phone.sign_in()
        other_phone = Browser(headers={"User-Agent": SAFARI})
        body = other_phone.try_to_sign_in().json()
        assert [place["device"] for place in body["sessions"]] == ["Mobile Safari on iOS"]
        if mode == "ask":
            other_phone.post("/session/choose/", {"choice": "continue"})
            assert who(laptop, phone, other_phone) == ["alice", None, "alice"]
