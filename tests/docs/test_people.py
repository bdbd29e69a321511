"""What docs/people.md tells a site to write works as it stands there."""

import json
import logging
import logging.config
import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core import mail
from django.template import engines

from live_single_session.models import UserSession
from live_single_session.signals import session_ended
from tests.helpers.clients import FIREFOX, Browser

PAGE = Path(__file__).parents[2] / "docs" / "people.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def block(language, containing):
    (found,) = [text for text in blocks(language) if containing in text]
    return found


@pytest.fixture
def mail_recipe():
    names = {}
    exec(block("python", "send_mail"), names)
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

    assert other.user() == "alice"
    assert UserSession.objects.live().count() == 1


def test_the_user_admin_of_the_documentation_can_be_registered(rf):
    try:
        exec(block("python", "SignOutEverywhereMixin"), {"__name__": "site.admin"})
        request = rf.get("/admin/auth/user/")
        request.user = User(is_superuser=True, is_active=True)
        assert "sign_out_everywhere" in admin.site._registry[User].get_actions(request)
    finally:
        admin.site.unregister(User)
        admin.site.register(User, UserAdmin)


@pytest.mark.django_db(transaction=True)
def test_the_logging_of_the_documentation_says_who_and_why(alice, capsys):
    names = {}
    exec(block("python", "LOGGING"), names)
    logger = logging.getLogger("live_single_session")
    before = logger.handlers[:], logger.level
    try:
        logging.config.dictConfig(names["LOGGING"])
        Browser().sign_in("alice")
        Browser().sign_in("alice")
    finally:
        logger.handlers[:], logger.level = before

    row = UserSession.objects.ended().get()
    line = f"ended session={row.pk} user={alice.pk} superseded"
    assert line in capsys.readouterr().err


def test_every_other_block_can_be_read():
    for text in blocks("json"):
        json.loads(text)
    for text in blocks("django"):
        engines["django"].from_string(text)
    for language in re.findall(r"```(\w+)\n", PAGE.read_text()):
        assert language in {"django", "css", "json", "js", "python", "console"}
