"""The security model, one test for each thing that somebody may try."""

import logging
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from channels.security.websocket import AllowedHostsOriginValidator
from django.test import Client
from django.urls import reverse

import live_single_session
from live_single_session.devices import Device
from live_single_session.models import UserSession
from live_single_session.realtime import consumer
from live_single_session.routing import SingleSessionMiddlewareStack
from live_single_session.urls import urlpatterns
from tests.helpers.browsers import API, FIREFOX, PAGE, SAFARI, AsyncBrowser, Browser
from tests.site.people import credentials

pytestmark = pytest.mark.django_db(transaction=True)

EVIL = ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
MARKUP = "<img src=x onerror=alert(1)>"
POSTS = {
    "end_others": {},
    "end": {"session_id": uuid.UUID(int=1)},
    "name_device": {"session_id": uuid.UUID(int=1)},
    "choose": {},
}


def stays_here(location: str) -> bool:
    parts = urlsplit(location)
    return not parts.scheme and not parts.netloc and not location.startswith(("//", "/\\"))


# A websocket from another site


async def test_a_websocket_from_another_site_is_refused(alice: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    stack = AllowedHostsOriginValidator(
        SingleSessionMiddlewareStack(consumer.SingleSessionConsumer.as_asgi())
    )
    browser = AsyncBrowser()
    await browser.sign_in()
    evil = {"Origin": "https://evil.example"}
    path = "/ws/live-single-session/"
    async with browser.websocket(path, headers=evil, application=stack) as socket:
        assert not socket.accepted
    async with browser.websocket(path, application=stack) as socket:
        assert (await socket.frame())["type"] == "session.ready"


# Session fixation


@pytest.mark.parametrize("login", ["/api/login/", "/async/api/login/"])
@pytest.mark.parametrize("planted", ["unknown", "anonymous", "ended", "somebody else's"])
def test_a_planted_cookie_is_never_signed_in(
    alice: Any, bob: Any, planted: str, login: str
) -> None:
    evil = Browser()
    if planted == "unknown":
        key = "a" * 32
    elif planted == "anonymous":
        session = evil.session
        session["cart"] = 1
        session.save()
        key = session.session_key
    else:
        evil.sign_in("bob")
        key = evil.cookie
        if planted == "ended":
            Browser().sign_in("bob")
    victim, thief = Browser(), Browser()
    victim.cookies["sessionid"] = thief.cookies["sessionid"] = key
    victim.sign_in("alice", path=login)
    assert victim.cookie != key
    assert victim.who() == "alice"
    assert thief.who() != "alice"


def test_a_planted_cookie_is_not_signed_in_by_a_choice(alice: Any, settings: Any) -> None:
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    Browser().sign_in()
    victim = Browser()
    answer = victim.post_json("/api/login/", credentials("alice"), headers=API)
    assert answer.status_code == 409
    thief = Browser()
    thief.cookies["sessionid"] = key = victim.cookie
    assert thief.who() is None
    victim.post(reverse("live_single_session:choose"), {"choice": "continue"}, headers=API)
    assert victim.who() == "alice"
    assert victim.cookie != key
    assert thief.who() is None


# Open redirects


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("on_limit", ["refuse", "ask"])
def test_nobody_is_sent_to_another_site(
    alice: Any, evil: str, on_limit: str, settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": on_limit}
    Browser().sign_in()
    browser = Browser()
    form = {**credentials("alice"), "next": evil}
    headers = {**PAGE, "Referer": evil, "Sec-Fetch-Site": "same-origin"}
    for path in ("/accounts/login/", f"/accounts/login/?next={evil}"):
        answer = browser.post(path, form, headers=headers)
        assert answer.status_code == 302
        assert stays_here(answer["Location"])
        assert "evil" not in answer["Location"]
    choose = reverse("live_single_session:choose")
    for choice in ("cancel", "continue"):
        answer = browser.post(f"{choose}?next={evil}", {"choice": choice}, headers=headers)
        assert answer.status_code == 302
        assert stays_here(answer["Location"])
    answer = browser.get(choose, {"next": evil}, headers=headers)
    assert answer.status_code == 302
    assert stays_here(answer["Location"])


@pytest.mark.parametrize("evil", EVIL)
def test_an_ended_session_is_not_sent_to_another_site(alice: Any, evil: str) -> None:
    old = Browser()
    old.sign_in()
    Browser().sign_in()
    answer = old.get("/private/", {"next": evil, "ended": evil}, headers=PAGE)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/private/")


# Requests from another site


def test_every_post_wants_a_csrf_token(alice: Any) -> None:
    names = {*POSTS, "sessions", "status", "active"}
    assert {pattern.name for pattern in urlpatterns} == names
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(alice)
    for name, kwargs in POSTS.items():
        path = reverse(f"live_single_session:{name}", kwargs=kwargs)
        for content_type in ("application/json", "text/plain"):
            answer = browser.post(path, "{}", content_type=content_type)
            assert answer.status_code == 403, path
        assert browser.post(path).status_code == 403
    assert UserSession.objects.live().count() == 1
    for name in ("sessions", "status"):
        assert browser.post(reverse(f"live_single_session:{name}")).status_code in (403, 405)


def test_another_site_can_not_say_that_a_page_is_used(alice: Any, settings: Any) -> None:
    """It can post forms and text, but no JSON."""
    settings.LIVE_SINGLE_SESSION = {"IDLE_SECONDS": 600}
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(alice)
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ):
        answer = browser.post("/session/active/", "", content_type=content_type)
        assert answer.status_code == 415


def test_nothing_ends_by_a_get(alice: Any, settings: Any) -> None:
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2}
    Browser().sign_in()
    browser = Browser()
    browser.sign_in()
    for row in UserSession.objects.all():
        browser.get(reverse("live_single_session:end", kwargs={"session_id": row.pk}))
    browser.get(reverse("live_single_session:end_others"))
    assert UserSession.objects.live().count() == 2


# Markup in a user agent


def test_markup_in_a_user_agent_stays_text(
    alice: Any, carol: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it should pass the parser, which knows names of browsers only."""
    for module in ("session_info", "http.refusals", "notices", "admin"):
        name = f"live_single_session.{module}.device_of"
        monkeypatch.setattr(name, lambda agent: Device(MARKUP, MARKUP))
    settings.LIVE_SINGLE_SESSION = {"LIMIT": 2, "DISCLOSE": ("device", "time", "ip")}
    bad = {"User-Agent": f"Mozilla/5.0 {MARKUP} Firefox/1.0"}
    Browser().sign_in(headers=bad)
    browser = Browser()
    browser.sign_in(headers=bad)
    row = UserSession.objects.live().first()
    assert row is not None
    end = reverse("live_single_session:end", kwargs={"session_id": row.pk})
    pages = [browser.get(p, headers=PAGE) for p in ("/session/", end, "/private/")]
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    third = Browser()
    form = credentials("alice")
    pages.append(third.post("/accounts/login/", form, headers=PAGE, follow=True))
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    pages.append(Browser().post("/accounts/login/", form, headers=PAGE, follow=True))
    settings.LIVE_SINGLE_SESSION = {}
    admin = Browser()
    admin.sign_in("carol")
    table = "/admin/live_single_session/usersession/"
    for path in (table, f"{table}{row.pk}/change/", f"{table}{row.pk}/history/"):
        pages += [admin.get(path, follow=True)]
    Browser().sign_in()
    pages.append(browser.get("/private/", headers=PAGE, follow=True))
    shown = 0
    for page in pages:
        assert page.status_code in (200, 409), page.request
        assert MARKUP not in page.text, page.request
        shown += "&lt;img src=x" in page.text
    assert shown >= 4


def test_the_script_never_makes_markup_of_text() -> None:
    static = Path(live_single_session.__file__).parent / "static"
    for script in static.rglob("*.js"):
        sinks = re.findall(
            r"(?:inner|outer)HTML\s*\+?=[^=]|insertAdjacentHTML|document\.write|\beval\(",
            script.read_text(),
        )
        assert not sinks, script.name


# Who is there?


async def test_a_stranger_learns_nothing_of_live_sessions(alice: Any, bob: Any) -> None:
    """Somebody else's session looks just like one that there never was."""
    bobs, alices, nobody = AsyncBrowser(), AsyncBrowser(), AsyncBrowser()
    await bobs.sign_in("bob")
    await alices.sign_in("alice")
    row = await UserSession.objects.aget(user=bob)
    for browser in (alices, nobody):
        said = []
        for session in (row.pk, uuid.uuid4()):
            status = await browser.get(f"/session/status/?session={session}", headers=API)
            end = await browser.get(f"/session/{session}/end/", headers=API)
            async with browser.socket(session) as socket:
                heard: Any = None
                if browser is alices:
                    heard = await socket.frame()
                else:
                    heard = await socket.close_code()
            said.append((status.status_code, status.text, end.status_code, end.text, heard))
        assert said[0] == said[1]


@pytest.mark.parametrize("on_limit", ["end_oldest", "refuse", "ask"])
def test_a_wrong_password_does_not_tell_who_is_signed_in(
    alice: Any, bob: Any, on_limit: str, settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": on_limit}
    Browser().sign_in("alice")
    answers = set()
    for name in ("alice", "bob", "nobody"):
        form = {"username": name, "password": "wrong"}
        page = Browser().post("/accounts/login/", form, headers=PAGE)
        api = Browser().post_json("/api/login/", form)
        text = re.sub(r'(csrfmiddlewaretoken" )?value="[^"]*"', "", page.text)
        answers.add((page.status_code, text, api.status_code, api.text))
    assert len(answers) == 1


# Many sockets of one session


async def test_a_session_has_a_bounded_number_of_sockets(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "MOST_SOCKETS", 2)
    browser, other = AsyncBrowser(), AsyncBrowser()
    await browser.sign_in("alice")
    await other.sign_in("bob")
    async with browser.socket() as first:
        assert (await first.frame())["type"] == "session.ready"
        async with browser.socket() as second:
            assert (await second.frame())["type"] == "session.ready"
            async with browser.socket() as third:
                assert await third.close_code() == 4008
            async with other.socket() as somebody_elses:
                assert (await somebody_elses.frame())["type"] == "session.ready"
        async with browser.socket() as third:
            assert (await third.frame())["type"] == "session.ready"
    assert not consumer._sockets


# Lines in the log


def test_nothing_that_a_client_sends_makes_a_line_in_the_log(
    alice: Any, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    settings.LIVE_SINGLE_SESSION = {"CLIENT_IP": f"{__name__}.forged_address"}
    forged = "x\r\nINFO Session 1 of user 1 started"
    agents = {"HTTP_USER_AGENT": forged, "HTTP_ACCEPT_LANGUAGE": forged}
    with caplog.at_level(logging.DEBUG):
        old, new = Browser(), Browser()
        old.sign_in(**agents)
        new.sign_in(**agents)
        old.get("/private/", {"next": forged, "session": forged}, headers=PAGE)
        old.get("/session/status/", {"session": forged}, **agents)
        Client().post("/accounts/login/", {"username": forged, "password": forged})
    for record in caplog.records:
        if record.name.startswith("live_single_session"):
            assert "\n" not in record.getMessage()
            assert "INFO" not in record.getMessage()
    row = UserSession.objects.latest("serial")
    assert row.user_agent == "xINFO Session 1 of user 1 started"
    assert row.ip is None


def forged_address(request: Any) -> str:
    return "1.2.3.4\nINFO Session 1 of user 1 started"


# Session keys


def test_inv7_no_session_key_in_anything_shown(
    alice: Any, carol: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("django.db.backends").setLevel(logging.WARNING)
        old, browser, admin = Browser(), Browser(), Browser()
        old.sign_in(HTTP_USER_AGENT=SAFARI)
        old_key = old.cookie  # which its cookie loses once the session has ended
        browser.sign_in(HTTP_USER_AGENT=FIREFOX)
        admin.sign_in("carol")
        keys = [old_key, browser.cookie, admin.cookie]
        row = UserSession.objects.get(user=alice, ended_at=None)
        shown = [browser.get(path, headers=PAGE) for path in ("/session/", "/private/")]
        shown.append(browser.get("/session/", headers=API))
        table = "/admin/live_single_session/usersession/"
        shown += [admin.get(path, follow=True) for path in (table, f"{table}{row.pk}/change/")]
        shown += [old.get("/private/", headers=PAGE), browser.get("/session/status/")]
    said = [page.text for page in shown] + [repr(row), str(row), caplog.text]
    assert all(keys)
    for text in said:
        for key in keys:
            assert key not in text
