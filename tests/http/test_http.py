"""What a request with the cookie of an ended session is told, and how."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.messages import get_messages
from django.http import HttpResponse, HttpResponseForbidden
from django.test import RequestFactory
from django.urls import include, path, reverse_lazy

from live_single_session import registry
from live_single_session.http.responses import is_page
from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import API, PAGE, AsyncBrowser, Browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def forbidden(request):
    return HttpResponse() if request.user.is_authenticated else HttpResponseForbidden()


def greeting(request):
    return HttpResponse(f"Hello {request.user}")


def broken(request):
    return HttpResponse(f"Sorry {request.user}", status=503)


urlpatterns = [
    path("public/", lambda request: HttpResponse("Nobody asks who you are.")),
    path("greeting/", greeting),
    path("forbidden/", forbidden),
    path("broken/", broken),
    path("", include("tests.urls")),
]

VIEWS = [("/private/", "/api/private/"), ("/async/private/", "/async/api/private/")]
TOLD = "You signed in on Firefox on Linux, so you were signed out here."


def told(response):
    """The messages that a page shows, or leaves for the next one."""
    if response.context:
        return [str(message) for message in response.context["messages"]]
    return [str(message) for message in get_messages(response.wsgi_request)]


def query(response):
    return parse_qs(urlsplit(response["Location"]).query)


# Pages and API requests


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        (PAGE, True),
        ({"Sec-Fetch-Mode": "navigate"}, True),
        ({"Sec-Fetch-Mode": "navigate", "Accept": "application/json"}, True),
        ({"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, False),
        ({"Sec-Fetch-Mode": "same-origin", "Accept": "text/html"}, False),
        ({"Sec-Fetch-Mode": "no-cors"}, False),
        ({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, True),
        ({"Accept": "application/json"}, False),
        ({"Accept": "*/*"}, False),
        (API, False),
    ],
)
def test_a_page_is_a_navigation_or_names_html(headers, page):
    assert is_page(RequestFactory().get("/", headers=headers)) is page


@pytest.mark.parametrize("url", ["/private/?x=1&y=2", "/async/private/?x=1&y=2"])
def test_inv4_a_page_that_needs_a_login_goes_to_the_login_page_and_says_why(left, url):
    response = left.get(url, headers=PAGE)
    assert response.status_code == 302
    assert urlsplit(response["Location"]).path == "/accounts/login/"
    assert query(response) == {"next": [url], "ended": ["superseded"]}
    assert response["Session-Ended"] == "superseded"
    assert response.cookies["sessionid"]["max-age"] == 0
    assert "no-store" in response["Cache-Control"]
    assert told(left.get(response["Location"], headers=PAGE)) == [TOLD]


@pytest.mark.parametrize("url", ["/api/private/", "/async/api/private/", "/private/"])
def test_inv4_an_api_request_that_needs_a_login_gets_a_401_that_says_why(left, url):
    response = left.get(url, headers=API)
    assert response.status_code == 401
    assert response.json() == {
        "code": "session_ended",
        "reason": "superseded",
        "detail": TOLD,
        "login_url": "/accounts/login/",
    }
    assert response["Session-Ended"] == "superseded"
    assert response["Content-Type"] == "application/json"
    assert response.cookies["sessionid"]["max-age"] == 0


def test_inv4_a_posted_form_goes_to_the_login_page_too(left):
    response = left.post("/rotate/", {"draft": "..."}, headers=PAGE)
    assert (response.status_code, query(response)["ended"]) == (302, ["superseded"])


@pytest.mark.parametrize(
    ("headers", "status"), [(PAGE, 302), (API, 401)], ids=["page", "API request"]
)
def test_inv4_a_view_that_forbids_is_one_that_needs_a_login(left, headers, status):
    response = left.get("/forbidden/", headers=headers)
    assert response.status_code == status
    assert response["Session-Ended"] == "superseded"


def test_inv4_the_admin_sends_to_its_own_login_page(alice):
    alice.is_staff = True
    alice.save()
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    response = old.get("/admin/auth/user/", headers=PAGE)
    assert urlsplit(response["Location"]).path == "/admin/login/"
    assert query(response) == {"next": ["/admin/auth/user/"], "ended": ["superseded"]}


def test_a_login_url_may_be_a_name_and_have_a_query(left, settings):
    settings.LOGIN_URL = reverse_lazy("login")
    assert left.get("/api/private/", headers=API).json()["login_url"] == "/accounts/login/"


@pytest.mark.parametrize("url", ["/private/", "/async/private/", "/greeting/"])
@pytest.mark.parametrize("headers", [PAGE, API], ids=["page", "API request"])
def test_it_is_told_once(left, url, headers):
    assert left.get(url, headers=headers)["Session-Ended"] == "superseded"
    again = left.get(url, headers=headers)
    assert "Session-Ended" not in again
    assert "ended=" not in again.headers.get("Location", "")


async def test_it_is_told_once_under_asgi(alice):
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.sign_in()
    await new.sign_in()
    response = await old.get("/async/api/private/", headers=API)
    assert (response.status_code, response["Session-Ended"]) == (401, "superseded")
    again = await old.get("/async/api/private/", headers=API)
    assert "Session-Ended" not in again
    assert again.json() == {"detail": "Sign in first."}


# Public pages


def test_a_public_page_that_read_a_dead_session_leaves_the_message_for_the_next(left):
    response = left.get("/greeting/", headers=PAGE)
    assert (response.status_code, response.content) == (200, b"Hello AnonymousUser")
    assert response["Session-Ended"] == "superseded"
    assert response.cookies["sessionid"]["max-age"] == 0
    assert told(left.get("/accounts/login/", headers=PAGE)) == [TOLD]
    assert told(left.get("/accounts/login/", headers=PAGE)) == []


@pytest.mark.parametrize("url", ["/public/", "/none/"])
def test_a_page_that_does_not_read_the_session_is_left_alone(left, url):
    response = left.get(url, headers=PAGE)
    assert "Session-Ended" not in response
    assert not response.cookies
    assert left.get("/private/", headers=PAGE)["Session-Ended"] == "superseded"


def test_messages_in_the_session_are_shown_too(left, settings):
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    left.get("/greeting/", headers=PAGE)
    page = left.get("/accounts/login/", headers=PAGE)
    assert told(page) == [TOLD]
    assert "Session-Ended" not in page


def test_a_site_without_messages_is_served_too(left, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "messages" not in name]
    left.handler.load_middleware()
    assert left.get("/private/", headers=PAGE)["Session-Ended"] == "superseded"


def test_a_response_that_failed_is_left_alone(left):
    response = left.get("/broken/", headers=PAGE)
    assert (response.status_code, "Session-Ended" in response) == (503, False)


# The reasons


def test_inv4_each_reason_is_told(alice, subtests):
    for reason in EndReason:
        with subtests.test(str(reason)):
            browser = Browser()
            browser.sign_in()
            registry.end(UserSession.objects.live().get(), reason)
            response = browser.get("/api/private/", headers=API)
            assert response["Session-Ended"] == response.json()["reason"] == reason


def test_inv4_an_expired_session_is_told_so(alice):
    browser = Browser()
    browser.sign_in()
    session = browser.session
    session.set_expiry(-1)
    session.save()
    UserSession.objects.update(expires_at=session.get_expiry_date())
    response = browser.get("/private/", headers=PAGE)
    assert response["Session-Ended"] == "expired"
    assert UserSession.objects.get().end_reason == "expired"


@pytest.mark.parametrize(
    ("language", "text"),
    [("de-CH, en;q=0.5", "angemeldet"), ("tlh", "You signed in on Firefox on Linux")],
)
def test_the_texts_are_in_the_language_of_the_request(left, language, text):
    answer = left.get("/api/private/", headers={**API, "Accept-Language": language})
    assert text in answer.json()["detail"]


# What is nobody's


@pytest.mark.parametrize("cookie", ["", "x", "x" * 32, "x" * 10_000, "\x00", "../../etc", "é"])
def test_an_unknown_cookie_is_told_nothing(alice, cookie):
    # As it comes: Python 3.14 sets no cookie with control characters, but clients may send one.
    response = Browser().get("/api/private/", headers={**API, "Cookie": f"sessionid={cookie}"})
    assert "Session-Ended" not in response
    assert response.json() == {"detail": "Sign in first."}


def test_an_anonymous_request_is_answered_by_its_view():
    assert "ended=" not in Browser().get("/private/", headers=PAGE)["Location"]
    assert Browser().get("/api/private/", headers=API).json() == {"detail": "Sign in first."}


def test_a_live_session_that_is_forbidden_something_gets_the_view_s_answer(alice):
    browser = Browser()
    browser.sign_in()
    response = browser.get("/admin/auth/user/", headers=PAGE)
    assert "ended=" not in response["Location"]
    assert "Session-Ended" not in response


def test_a_next_to_another_site_is_not_followed(left):
    response = left.get("//evil.example/private/", headers=PAGE)
    assert "evil.example" not in urlsplit(response.headers.get("Location", "")).netloc
    for target in ["https://evil.example/", "//evil.example/", "/\\evil.example"]:
        login = left.post(
            "/accounts/login/",
            {"username": "alice", "password": "correct horse battery staple", "next": target},
            headers=PAGE,
        )
        assert login["Location"] == "/private/"
        left.post("/api/logout/")


def test_inv7_no_key_is_in_an_answer(left):
    key = left.cookie
    for headers in (PAGE, API):
        left.cookies["sessionid"] = key
        response = left.get("/private/", headers=headers)
        shown = json.dumps(dict(response.headers)) + response.content.decode()
        assert key not in shown
