"""django-hijack, for real: whoever looks at a user's account does not sign the user out."""

import pytest
from django.core.management import call_command

from live_single_session.models import EndReason, UserSession
from live_single_session.registry.limits import EXEMPT_SLOT
from tests.helpers.browsers import Browser

pytestmark = pytest.mark.django_db(transaction=True)

EXEMPTS = "tests.site.impersonation.ExemptImpersonation"


@pytest.fixture(autouse=True)
def _with_hijack(settings, alice, carol):
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "hijack"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "hijack.middleware.HijackUserMiddleware"]
    settings.ROOT_URLCONF = "tests.site.impersonation"


@pytest.fixture
def _exempt(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, EXEMPTS]


def acquire(staff, user):
    return staff.post("/hijack/acquire/", {"user_pk": user.pk})


@pytest.mark.usefixtures("_exempt")
@pytest.mark.parametrize("mode", ["end_oldest", "refuse", "ask", "observe"])
def test_the_real_user_stays_signed_in(alice, laptop, phone, policy, mode):
    policy(ON_LIMIT=mode)
    laptop.sign_in("alice")
    phone.sign_in("carol")
    assert acquire(phone, alice).status_code == 302
    assert (laptop.who(), phone.who()) == ("alice", "alice")
    assert phone.session["hijack_history"]
    assert UserSession.objects.live().get(slot=EXEMPT_SLOT).user == alice

    assert phone.post("/hijack/release/").status_code == 302
    assert (laptop.who(), phone.who()) == ("alice", "carol")
    ended = UserSession.objects.ended().values_list("user__username", "end_reason")
    switched = EndReason.USER_SWITCHED
    assert sorted(ended) == [("alice", switched), ("carol", switched)]


@pytest.mark.usefixtures("_exempt")
def test_it_takes_no_place_and_gives_way_to_nobody(alice, laptop, phone, policy):
    policy(ON_LIMIT="refuse")
    phone.sign_in("carol")
    acquire(phone, alice)
    laptop.sign_in("alice")  # there is a place
    assert (laptop.who(), phone.who()) == ("alice", "alice")

    policy()
    Browser().sign_in("alice")
    assert (laptop.who(), phone.who()) == (None, "alice")
    call_command("enforce_limits")
    assert phone.who() == "alice"


def test_a_limit_may_exempt_the_login_as_well(alice, laptop, phone, policy):
    policy(LIMIT="tests.site.impersonation.limit")
    laptop.sign_in("alice")
    phone.sign_in("carol")
    acquire(phone, alice)
    assert (laptop.who(), phone.who()) == ("alice", "alice")


def test_without_an_exemption_it_is_a_login_like_any_other(alice, laptop, phone, policy):
    policy()
    laptop.sign_in("alice")
    phone.sign_in("carol")
    acquire(phone, alice)
    assert (laptop.who(), phone.who()) == (None, "alice")


def test_a_refused_impersonation_leaves_nobody_signed_in_by_half(alice, laptop, phone, policy):
    policy(ON_LIMIT="refuse")
    laptop.sign_in("alice")
    phone.sign_in("carol")
    response = acquire(phone, alice)
    assert response.status_code == 302
    assert "refused=limit" in response["Location"]
    assert (laptop.who(), phone.who()) == ("alice", None)
    phone.sign_in("carol")  # her own place is free again
