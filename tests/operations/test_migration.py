"""The ways of docs/migration.md, walked with the old packages installed and people signed in.

Nobody sees a 5xx: `Browser` looks at each answer.
"""

import importlib.util
import json

import pytest
from django.contrib.auth.signals import user_logged_out
from django.test import Client

from live_single_session.models import EndReason, UserSession
from tests.operations.moving.walk import NEW
from tests.operations.pages import block, blocks, section
from tests.servers.daphne import Daphne

PAGE = "migration.md"
OLD = {"STAGE": "old"}
SINGLE = "From django-single-session"
PREVENT = "From django-preventconcurrentlogins"

# PostgreSQL and MariaDB enforce foreign keys at once or at the commit; so does SQLite.
DATABASES = ["postgres", "mariadb", "sqlite"]


def tables(walk):
    code = "from django.db import connection\nprint(connection.introspection.table_names())\n"
    return walk.manage("shell", stdin=code, **NEW)


def follow(walk, heading, app):
    """Walk a section to its end, with people in each step."""
    loosen = block(PAGE, heading, "loosen.py")
    removal = block(PAGE, heading, "removal_settings.py")
    shell, migrate = blocks(section(PAGE, heading), "console")
    assert shell == "python manage.py shell < loosen.py\n"
    zero = migrate.split()[2:]
    assert zero[:3] == ["migrate", app, "zero"]

    walk.env["OLD"] = app
    walk.manage("migrate", "--verbosity=0", **OLD)
    walk.sign_up(30, **OLD)
    old = walk.start(**OLD)
    crowd = [walk.somebody(old) for _ in range(6)]

    walk.manage("shell", stdin=loosen, **OLD)
    walk.everything_works(old, crowd.pop())
    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.everything_works(old, crowd.pop())
    new = walk.start(Daphne, **NEW)
    walk.everything_works(new, crowd.pop())
    walk.everything_works(old, crowd.pop())
    old.stop()
    walk.everything_works(new, crowd.pop())

    (walk.folder / "mysite").mkdir()
    (walk.folder / "mysite" / "settings.py").write_text(
        "from tests.operations.moving.settings import *\n"
    )
    walk.write(removal)
    assert f"'{app}_" in tables(walk)
    walk.manage(*zero, **NEW)
    assert f"'{app}_" not in tables(walk)
    walk.everything_works(new, crowd.pop())


@pytest.mark.parametrize("walk", DATABASES, indirect=True)
def test_from_django_single_session(walk):
    follow(walk, SINGLE, "single_session")


def test_from_django_preventconcurrentlogins(walk):
    follow(walk, PREVENT, "preventconcurrentlogins")


@pytest.mark.parametrize(
    ("heading", "app"),
    [
        ("From django-session-security", "session_security"),
        ("From django-session-timeout", "django_session_timeout"),
    ],
)
def test_from_packages_that_sign_out_in_time(walk, heading, app):
    written = {}
    exec(block(PAGE, heading, "LIVE_SINGLE_SESSION"), written)
    new = {**NEW, "LIVE_SINGLE_SESSION": json.dumps(written["LIVE_SINGLE_SESSION"])}
    walk.env["OLD"] = app
    walk.manage("migrate", "--verbosity=0", **OLD)
    walk.sign_up(9, **OLD)
    old = walk.start(**OLD)
    stays, leaves, goes = [walk.browser(old).sign_in() for _ in range(3)]

    walk.manage("migrate", "--verbosity=0", **new)
    site = walk.start(Daphne, **new)
    for person in (stays, leaves, goes):
        assert person.at(old).is_signed_in
        assert person.at(site).is_signed_in
    old.stop()
    leaves.sign_out()
    assert stays.is_signed_in

    walk.manage("shell", stdin=OVERDUE.format(name=goes.name), **new)
    answer = goes.ask("GET", "/session/status/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "idle")
    assert not goes.is_signed_in
    assert stays.is_signed_in


OVERDUE = """
from django.utils import timezone
from live_single_session.models import UserSession
UserSession.objects.filter(user__username="{name}").update(ends_at=timezone.now())
"""


def test_passive_requests_of_the_page(rf):
    site = {}
    exec(block(PAGE, "From django-session-security", "PASSIVE_URLS ="), site)
    answer = site["passive_requests"](lambda request: request.single_session_passive)
    assert answer(rf.get("/news/"))
    assert not answer(rf.get("/"))


def test_a_sign_out_that_ends_the_other_sessions(alice, settings, tmp_path):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    path = tmp_path / "receivers.py"
    path.write_text(block(PAGE, SINGLE, "sign_out_everywhere"))
    spec = importlib.util.spec_from_file_location("receivers", path)
    receivers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(receivers)
    try:
        laptop, phone, visitor = Client(), Client(), Client()
        laptop.force_login(alice)
        phone.force_login(alice)
        assert visitor.post("/api/logout/").status_code == 200
        assert phone.get("/whoami/").json() == {"user": "alice"}

        laptop.post("/api/logout/")

        assert phone.get("/whoami/").json() == {"user": None}
        first, second = UserSession.objects.order_by("serial")
        assert first.end_reason == EndReason.LOGGED_OUT
        assert second.end_reason == EndReason.REVOKED
    finally:
        user_logged_out.disconnect(receivers.sign_out_everywhere)


def test_the_limit_says_what_single_user_session_said(alice, carol):
    names = {}
    exec(block(PAGE, SINGLE, "def only_staff"), names)
    assert names["only_staff"](alice, None, "") is None
    assert names["only_staff"](carol, None, "") == 1


COOKIES = "From signed cookies"
SIGNED = "django.contrib.sessions.backends.signed_cookies"
OURS = "live_single_session.backends"


@pytest.mark.parametrize("on_limit", ["end_oldest", "observe"])
def test_signed_cookies_sign_everybody_out_once(walk, on_limit):
    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.sign_up(4, **OLD)
    old = walk.start(SESSION_ENGINE=SIGNED, **OLD)
    person = walk.browser(old).sign_in()
    rule = f'{{"ON_LIMIT": "{on_limit}"}}'
    new = walk.start(SESSION_ENGINE=f"{OURS}.signed_cookies", LIVE_SINGLE_SESSION=rule, **NEW)
    assert not person.at(new).is_signed_in
    assert person.sign_in().is_signed_in


def test_people_with_signed_cookies_move_into_the_database_first(walk):
    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.sign_up(20, **OLD)
    (walk.folder / "mysite").mkdir()
    walk.write(block(PAGE, COOKIES, "moving_sessions.py"))
    before = walk.start(SESSION_ENGINE=SIGNED, **OLD)
    early, late = [walk.browser(before).sign_in() for _ in range(2)]
    crowd = [walk.somebody(before) for _ in range(2)]

    moving = walk.start(SESSION_ENGINE="mysite.moving_sessions", **OLD)
    assert early.at(moving).is_signed_in
    assert ":" not in early.cookies["sessionid"]
    for person in crowd[0] + crowd[1]:
        assert person.at(moving).is_signed_in
    before.stop()

    new = walk.start(Daphne, SESSION_ENGINE=f"{OURS}.db", **NEW)
    assert early.at(new).is_signed_in
    assert not late.at(new).is_signed_in
    assert late.sign_in().is_signed_in
    walk.everything_works(new, crowd.pop())
    moving.stop()
    walk.everything_works(new, crowd.pop())
