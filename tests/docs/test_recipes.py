"""What the documentation tells a site to write works as it stands there."""

import ast
import logging
import logging.config
import re

import pytest
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core import mail
from django.core.checks import run_checks

from live_single_session.models import EndReason, UserSession
from live_single_session.signals import session_ended
from tests.docs.pages import DOCS, block_with
from tests.helpers.browsers import FIREFOX, Browser
from tests.servers.process import ROOT


@pytest.fixture
def mail_recipe():
    names = {}
    exec(block_with("send_mail", "recipes.md"), names)
    yield
    session_ended.disconnect(names["mail_about_new_sign_in"])


@pytest.mark.django_db(transaction=True)
def test_the_recipe_mails_the_user_whose_session_was_taken_over(alice, bob, mail_recipe):
    Browser().sign_in("alice")
    Browser().sign_in("bob")
    assert mail.outbox == []

    Browser(headers={"user-agent": FIREFOX}).sign_in("alice")

    (message,) = mail.outbox
    assert message.to == ["alice@example.com"]
    assert "Firefox on Linux" in message.body


@pytest.mark.django_db(transaction=True)
def test_the_recipe_mails_nobody_who_signed_out_or_has_no_address(alice, bob, mail_recipe):
    browser = Browser()
    browser.sign_in("alice")
    browser.post("/api/logout/")
    User.objects.filter(username="bob").update(email="")
    Browser().sign_in("bob")
    Browser().sign_in("bob")

    assert mail.outbox == []


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_down_harms_no_login(alice, mail_recipe, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    Browser().sign_in("alice")
    other = Browser()

    other.sign_in("alice")

    assert other.who() == "alice"
    assert UserSession.objects.live().count() == 1


def test_the_user_admin_of_the_documentation_can_be_registered(rf):
    try:
        exec(block_with("SignOutEverywhereMixin", "people.md"), {"__name__": "site.admin"})
        request = rf.get("/admin/auth/user/")
        request.user = User(is_superuser=True, is_active=True)
        assert "sign_out_everywhere" in admin.site._registry[User].get_actions(request)
    finally:
        admin.site.unregister(User)
        admin.site.register(User, UserAdmin)


@pytest.mark.django_db(transaction=True)
def test_the_logging_of_the_documentation_says_who_and_why(alice, capsys):
    names = {}
    exec(block_with("LOGGING", "operations.md"), names)
    logger = logging.getLogger("live_single_session")
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        logging.config.dictConfig(names["LOGGING"])
        Browser().sign_in("alice")
        Browser().sign_in("alice")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before

    row = UserSession.objects.ended().get()
    line = f"[ended session={row.pk} user={alice.pk} slot= reason=superseded]"
    assert line in capsys.readouterr().err


def _values_in_tables():
    """What the tables of README and docs/policies.md tell a site to set."""
    readme = re.findall(
        r"^\| .* \| `(\{.*\})` \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    rule = re.findall(
        r'^\| .* \| `("[A-Z_]+": .*)` \|$', (DOCS / "policies.md").read_text(), re.MULTILINE
    )
    return [*readme, *(f"{{{pair}}}" for pair in rule)]


@pytest.mark.parametrize("value", _values_in_tables())
def test_what_the_tables_tell_to_set_is_valid(value, settings):
    settings.LIVE_SINGLE_SESSION = ast.literal_eval(value)
    assert [m for m in run_checks() if m.id.startswith("live_single_session.E")] == []


def _functions_of(text, page="policies.md"):
    names: dict = {}
    exec(block_with(text, page), names)
    return names


@pytest.mark.django_db(transaction=True)
def test_an_account_without_a_limit_keeps_its_sessions(alice, bob, settings):
    limit = _functions_of('name="robots"')["limit"]
    settings.LIVE_SINGLE_SESSION = {"LIMIT": limit}
    alice.groups.create(name="robots")
    for name in ("alice", "alice", "bob", "bob"):
        Browser().sign_in(name)
    live = UserSession.objects.live().values_list("user__username", flat=True)
    assert sorted(live) == ["alice", "alice", "bob"]


def test_a_limit_that_depends_on_the_user(alice):
    limit = _functions_of("user.tariff")["limit"]
    alice.tariff = "large"
    assert limit(alice, None, "") == 5


@pytest.mark.django_db(transaction=True)
def test_an_app_has_a_slot_of_its_own(alice, settings):
    settings.LIVE_SINGLE_SESSION = {"SLOT": _functions_of("is_app")["slot"]}
    Browser(headers={"user-agent": "Acme/2.1"}).sign_in("alice")
    Browser(headers={"user-agent": FIREFOX}).sign_in("alice")
    slots = UserSession.objects.live().values_list("slot", flat=True)
    assert sorted(slots) == ["app", "web"]


@pytest.mark.django_db(transaction=True)
def test_sessions_end_from_a_task(alice):
    functions = _functions_of("def lock_out", "recipes.md")
    Browser().sign_in("alice")
    assert functions["sign_out_everywhere"](alice) == 1
    browser = Browser()
    browser.sign_in("alice")
    functions["lock_out"](alice)
    reasons = (
        UserSession.objects.ended().order_by("serial").values_list("end_reason", flat=True)
    )
    assert list(reasons) == [EndReason.REVOKED_BY_STAFF, EndReason.DEACTIVATED]
