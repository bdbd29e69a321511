"""User agents that are markup, endless, empty or no text at all, wherever they are shown."""

import io

import pytest
from django.core.management import call_command

from live_single_session.models import UserSession
from tests.helpers.browsers import API, PAGE, Browser

SCRIPT = '<script>alert("1")</script>'

AGENTS = {
    "markup": SCRIPT,
    "markup in a browser's name": f"Mozilla/5.0 (X11; Linux) {SCRIPT}/1.0 Firefox/{SCRIPT}",
    "a template": "{{ settings.SECRET_KEY }}{% debug %}%(browser)s %s {0}",
    "10 KB": "Mozilla/5.0 " + "x" * 10_000,
    "10 KB of parentheses": "Mozilla/5.0 " + "(" * 10_000,
    "empty": "",
    "lines and colours": "a\r\nSet-Cookie: a=b\x1b[31m\u202egnp\x00",
    "not UTF-8": b"\xff\xfe\xc3\x28 Firefox/1".decode("latin1"),
    "an attribute": '" onmouseover="alert(1)" \'',
}


@pytest.fixture(params=AGENTS.values(), ids=AGENTS.keys())
def pages(request, alice, carol, settings):
    """Everything that a user agent is shown on."""
    settings.LIVE_SINGLE_SESSION = {"LIMIT": None}
    Browser(HTTP_USER_AGENT=request.param).sign_in("alice")
    reader, desk = Browser(), Browser()
    reader.sign_in("alice")
    desk.sign_in("carol")
    row = UserSession.objects.filter(user=alice).order_by("serial").first()
    admin = "/admin/live_single_session/usersession/"
    return [
        reader.get("/session/", headers=PAGE),
        reader.get(f"/session/{row.pk}/end/", headers=PAGE),
        reader.get("/session/", headers=API),
        desk.get(admin),
        desk.get(f"{admin}{row.pk}/change/"),
    ]


def test_they_are_harmless_text_on_every_page(pages):
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        if page["Content-Type"].startswith("text/html"):
            assert "<script>alert" not in text
            assert 'onmouseover="' not in text
            assert "not-a-secret" not in text
        for character in "\x1b\x00\u202e":
            assert character not in text


def test_they_are_harmless_lines_in_every_list(pages):
    for arguments in ([], ["--json"]):
        out = io.StringIO()
        call_command("list_sessions", *arguments, stdout=out)
        lines = out.getvalue().splitlines()
        assert len(lines) == 3 + (not arguments)
        assert all(line.isprintable() for line in lines)


def test_what_is_kept_of_them_is_short(pages):
    assert max(len(row.user_agent) for row in UserSession.objects.all()) <= 400
