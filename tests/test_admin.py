"""The admin: what it shows, whom its actions end, and whom they spare."""

import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from live_single_session import registry
from live_single_session.admin import sign_out_everywhere
from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import FIREFOX, Browser
from tests.site.people import PASSWORD
from tests.site.users_admin import site

SESSIONS = "/admin/live_single_session/usersession/"
USERS = "/admin/auth/user/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _user_admin(settings):
    settings.ROOT_URLCONF = "tests.site.users_admin"


@pytest.fixture
def desk(alice, bob, carol):
    """Carol's browser; Alice and Bob are signed in, too."""
    for name in ("alice", "bob"):
        Browser(headers={"user-agent": FIREFOX}).sign_in(name)
    return Browser.signed_in("carol")


@pytest.fixture
def clerk(bob):
    """Bob works at the help desk: he may see users and sessions, and end sessions."""
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(
        Permission.objects.filter(
            codename__in=[
                "view_user",
                "view_usersession",
                "end_usersession",
                "sign_out_everywhere",
            ]
        )
    )
    return bob


def _act(browser, path, action, rows, **extra):
    response = browser.post(
        path, {"action": action, "_selected_action": [row.pk for row in rows], **extra}
    )
    assert response.status_code in (200, 302), response.status_code
    return browser.get(path).content.decode()


def _live(name):
    return UserSession.objects.live().filter(user__username=name).count()


def test_list_names_user_device_and_address_and_nobody_can_write(desk):
    page = desk.get(SESSIONS).content.decode()

    assert "Firefox on Linux" in page
    assert "127.0.0.1" in page
    assert "/admin/auth/user/" in page
    assert "delete_selected" not in page
    row = UserSession.objects.first()
    for path in ("add/", f"{row.pk}/delete/"):
        assert desk.get(SESSIONS + path).status_code == 403
    assert desk.post(f"{SESSIONS}{row.pk}/change/", {"ip": "1.2.3.4"}).status_code == 403


def test_inv7_no_session_key_and_no_digest_is_shown(desk):
    rows = list(UserSession.objects.all())
    pages = [desk.get(SESSIONS).content.decode()]
    pages += [desk.get(f"{SESSIONS}{row.pk}/change/").content.decode() for row in rows]

    for page in pages:
        for row in rows:
            assert row.session_key
            assert row.session_key not in page
            assert row.key_digest not in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=alice", {"alice"}),
        ("?q=127.0", {"alice", "bob", "carol"}),
        ("?q=192.0.2.1", set()),
        ("?q='%22%3Cscript%3E", set()),
        ("?state=live", {"alice", "bob", "carol"}),
        ("?state=ended", set()),
        ("?end_reason__exact=superseded", set()),
    ],
)
def test_finds_sessions(desk, query, names):
    page = desk.get(SESSIONS + query).content.decode()

    assert set(re.findall(r"/admin/auth/user/\d+/change/[^>]*>(\w+)</a>", page)) == names


def test_finds_a_session_by_the_id_of_a_log_line(desk):
    row = UserSession.objects.get(user__username="alice")

    page = desk.get(f"{SESSIONS}?q={row.pk}").content.decode()

    assert str(row.pk) in page
    assert page.count('name="_selected_action"') == 1


def test_slots_can_be_chosen_where_there_are_slots(alice, bob, carol, settings):
    settings.LIVE_SINGLE_SESSION = {"SLOT": "live_single_session.policy.device_class"}
    desk = Browser.signed_in("carol")

    assert "?slot=desktop" in desk.get(SESSIONS).content.decode()
    assert "alice" not in desk.get(f"{SESSIONS}?slot=phone").content.decode()


def test_ends_selected_sessions_and_says_how_many(desk):
    rows = UserSession.objects.filter(user__username__in=["alice", "bob"])

    page = _act(desk, SESSIONS, "end_selected", rows)

    assert "2 sessions were ended." in page
    assert {row.end_reason for row in rows.all()} == {EndReason.REVOKED_BY_STAFF}


def test_inv6_nobody_ends_the_session_in_which_they_act(desk):
    _act(desk, SESSIONS, "end_selected", UserSession.objects.all())
    _act(desk, USERS, "sign_out_everywhere", User.objects.all())

    assert desk.who() == "carol"
    assert _live("alice") == _live("bob") == 0


def test_signs_users_out_everywhere(desk, settings):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    for _ in range(3):
        Browser.signed_in("alice")

    page = _act(desk, USERS, "sign_out_everywhere", User.objects.filter(username="alice"))

    assert "4 sessions were ended." in page
    assert _live("alice") == 0
    assert _live("bob") == 1


def test_needs_a_permission_of_its_own(desk, clerk, alice):
    clerk.user_permissions.remove(Permission.objects.get(codename="sign_out_everywhere"))
    clerk.user_permissions.remove(Permission.objects.get(codename="end_usersession"))
    browser = Browser.signed_in("bob")

    assert "sign_out_everywhere" not in browser.get(USERS).content.decode()
    assert "end_selected" not in browser.get(SESSIONS).content.decode()
    _act(browser, USERS, "sign_out_everywhere", [alice])
    _act(browser, SESSIONS, "end_selected", UserSession.objects.filter(user=alice))
    assert _live("alice") == 1


def test_the_bare_action_asks_for_the_permission_too(desk, clerk, alice):
    clerk.user_permissions.clear()
    request = RequestFactory().post(USERS)
    request.user = User.objects.get(pk=clerk.pk)

    with pytest.raises(PermissionDenied):
        sign_out_everywhere(site._registry[User], request, User.objects.all())

    assert _live("alice") == 1


def test_spares_those_who_may_do_more_than_the_one_who_acts(desk, clerk, alice):
    dave, erin = (User.objects.create_user(name, None, PASSWORD) for name in ("dave", "erin"))
    dave.user_permissions.add(Permission.objects.get(codename="delete_user"))
    editors = Group.objects.create(name="editors")
    editors.permissions.add(Permission.objects.get(codename="change_group"))
    erin.groups.add(editors)
    for name in ("dave", "erin"):
        Browser.signed_in(name)
    browser = Browser.signed_in("bob")

    page = _act(browser, USERS, "sign_out_everywhere", User.objects.all())

    assert "1 session was ended." in page
    assert "3 users may do more than you" in page
    assert _live("alice") == 0
    assert _live("carol") == _live("dave") == _live("erin") == 1

    page = _act(browser, SESSIONS, "end_selected", UserSession.objects.live())

    assert "0 sessions were ended." in page
    assert _live("carol") == _live("dave") == _live("erin") == 1


def test_a_colleague_with_the_same_permissions_is_not_spared(desk, clerk, alice):
    alice.user_permissions.set(clerk.user_permissions.all())
    browser = Browser.signed_in("bob")

    _act(browser, USERS, "sign_out_everywhere", [alice])

    assert _live("alice") == 0


def test_a_user_with_sessions_can_be_deleted_in_the_admin(desk, alice):
    page = desk.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    assert page.status_code == 302
    assert not User.objects.filter(username="alice").exists()
    assert not UserSession.objects.filter(user_id=alice.pk).exists()


def test_a_user_who_signed_in_twice_links_to_the_newer_session(desk, alice):
    old = registry.live_of(alice)[0]
    Browser.signed_in("alice")
    old.refresh_from_db()

    page = desk.get(f"{SESSIONS}{old.pk}/change/").content.decode()

    assert f"{SESSIONS}{old.replaced_by_id}/change/" in page
    assert "a newer sign-in took its place" in page
