"""What requests inside a page are told of an ended session, and that the page still says why.

htmx and Turbo, polls and prefetches: none of them uses up the one notice that there is.
"""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib import messages
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.urls import include, path

from live_single_session.http.responses import is_prefetch
from tests.helpers.browsers import API, FIREFOX, PAGE, AsyncBrowser, Browser
from tests.site.people import credentials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def saved(request):
    messages.success(request, "Saved.")
    return HttpResponse()


def greeting(request):
    return HttpResponse(f"Hello {request.user}")


urlpatterns = [
    path("saved/", saved),
    path("greeting/", greeting),
    path("", include("tests.urls")),
]

LOGIN = "/accounts/login/"
TOLD = "You signed in on Firefox on Linux, so you were signed out here."
HTMX = {"Sec-Fetch-Mode": "cors", "Accept": "*/*", "HX-Request": "true"}
TURBO = {"Sec-Fetch-Mode": "cors", "Accept": "text/html, application/xhtml+xml"}
PREFETCH = {**PAGE, "Sec-Purpose": "prefetch"}
PRERENDER = {**PAGE, "Sec-Purpose": "prefetch;prerender"}
TURBO_PREFETCH = {**TURBO, "X-Sec-Purpose": "prefetch"}


def shown(response):
    return [str(message) for message in response.context["messages"]]


def query(url):
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


def lands_on_login_page(browser):
    """What somebody reads there who goes to a page that needs a login."""
    response = browser.get("/private/", headers=PAGE)
    assert response.status_code == 302
    assert urlsplit(response["Location"]).path == LOGIN
    return shown(browser.get(response["Location"], headers=PAGE))


# htmx


@pytest.mark.parametrize("url", ["/private/?x=1", "/api/private/", "/async/api/private/"])
def test_inv4_htmx_goes_to_the_login_page_and_comes_back_to_the_page_around(left, url):
    around = "http://testserver/greeting/?tab=2#key=secret"
    response = left.get(url, headers={**HTMX, "HX-Current-URL": around})

    assert (response.status_code, response.json()["code"]) == (401, "session_ended")
    assert urlsplit(response["HX-Redirect"]).path == LOGIN
    assert query(response["HX-Redirect"]) == {
        "next": "/greeting/?tab=2",
        "ended": "superseded",
    }
    assert response["Session-Ended"] == "superseded"
    assert shown(left.get(response["HX-Redirect"], headers=PAGE)) == [TOLD]


@pytest.mark.parametrize(
    "more",
    [
        {"HX-Boosted": "true", "HX-Current-URL": "http://testserver/greeting/"},
        {"HX-Current-URL": "https://evil.example/"},
        {"HX-Current-URL": "javascript:alert(1)"},
        {"HX-Current-URL": "http://["},
        {},
    ],
    ids=["boosted", "another site", "no address", "a broken one", "none"],
)
def test_htmx_comes_back_to_what_it_asked_for_where_that_is_a_page(left, more):
    response = left.get("/private/?x=1", headers={**HTMX, **more})

    assert query(response["HX-Redirect"])["next"] == "/private/?x=1"


def test_htmx_that_needs_no_login_gets_what_it_asked_for(left):
    response = left.get("/greeting/", headers=HTMX)

    assert (response.status_code, response.content) == (200, b"Hello AnonymousUser")
    assert "HX-Redirect" not in response


def test_htmx_goes_back_to_the_login_page_when_a_login_is_refused(alice, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "refuse"}
    laptop, phone = Browser(headers={"user-agent": FIREFOX}), Browser()
    laptop.sign_in()

    response = phone.post(f"{LOGIN}?next=/private/", credentials("alice"), headers=HTMX)

    assert (response.status_code, response.json()["code"]) == (409, "session_limit")
    assert response["HX-Redirect"] == f"{LOGIN}?next=/private/&refused=limit"
    (text,) = shown(phone.get(response["HX-Redirect"], headers=PAGE))
    assert "Firefox on Linux" in text


def test_htmx_goes_to_the_choice_and_on_from_there(alice, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    laptop, phone = Browser(), Browser()
    laptop.sign_in()

    response = phone.post(LOGIN, credentials("alice") | {"next": "/private/"}, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (409, "/session/choose/")
    assert "<form" in phone.get("/session/choose/", headers=HTMX).text

    done = phone.post("/session/choose/", {"choice": "continue"}, headers=HTMX)
    assert done["HX-Redirect"] == "/private/"
    assert phone.who() == "alice"


def test_turbo_gets_the_pages_under_session_too(alice, settings):
    settings.LIVE_SINGLE_SESSION = {"ON_LIMIT": "ask"}
    laptop, phone = Browser(), Browser()
    laptop.sign_in()
    phone.post(LOGIN, credentials("alice"), headers=PAGE)

    assert "<form" in phone.get("/session/choose/", headers=TURBO).text
    done = phone.post("/session/choose/", {"choice": "continue"}, headers=TURBO)
    assert (done.status_code, done["Location"]) == (302, "/private/")
    assert "<h1>" in phone.get("/session/", headers=HTMX).text


# Who comes first


@pytest.mark.parametrize("headers", [API, HTMX, TURBO], ids=["poll", "htmx", "Turbo"])
@pytest.mark.parametrize("url", ["/private/", "/greeting/", "/async/private/"])
def test_inv4_whoever_lands_on_the_login_page_is_told_why(left, headers, url):
    assert left.get(url, headers=headers)["Session-Ended"] == "superseded"

    assert lands_on_login_page(left) == [TOLD]


def test_inv4_many_polls_leave_one_message(left):
    key = left.cookie
    for _ in range(3):
        left.cookies["sessionid"] = key
        left.get("/api/private/", headers=API)

    assert lands_on_login_page(left) == [TOLD]
    assert shown(left.get(LOGIN, headers=PAGE)) == []


def test_the_message_is_left_beside_those_of_the_site(left):
    left.get("/saved/", headers=API)
    left.get("/api/private/", headers=API)

    assert lands_on_login_page(left) == ["Saved.", TOLD]


@pytest.mark.parametrize("url", [LOGIN, "/admin/login/"])
@pytest.mark.parametrize("headers", [PAGE, TURBO], ids=["page", "Turbo"])
def test_inv4_a_login_page_says_why_when_it_is_the_first_to_learn(left, url, headers):
    """As after the dialog, whose link leads there."""
    response = left.get(f"{url}?next=/private/%3Fx%3D1", headers=headers)
    assert response["Location"] == f"{url}?next=/private/%3Fx%3D1&ended=superseded"
    assert response["Session-Ended"] == "superseded"

    page = left.get(response["Location"], headers=PAGE)
    assert (page.status_code, shown(page)) == (200, [TOLD])


def test_a_login_page_that_says_why_already_does_not_go_round_in_circles(left):
    key = left.cookie
    response = left.get(LOGIN, headers=PAGE)
    left.cookies["sessionid"] = key  # as if the browser had kept it

    assert left.get(response["Location"], headers=PAGE).status_code == 200


def test_whoever_signs_in_on_a_page_that_knew_of_nothing_is_let_in(left):
    response = left.post(LOGIN, credentials("alice"), headers=PAGE)

    assert response["Location"] == "/private/"
    assert list(get_messages(left.get("/private/", headers=PAGE).wsgi_request)) == []


# Prefetches


@pytest.mark.parametrize(
    ("headers", "so"),
    [
        (PREFETCH, True),
        (PRERENDER, True),
        (TURBO_PREFETCH, True),
        ({"Purpose": "prefetch"}, True),
        (PAGE, False),
        (TURBO, False),
    ],
)
def test_a_prefetch_is_known_by_its_purpose(rf, headers, so):
    assert is_prefetch(rf.get("/", headers=headers)) is so


@pytest.mark.parametrize("url", ["/private/", "/async/private/", "/api/private/"])
@pytest.mark.parametrize(
    "headers", [PREFETCH, PRERENDER, TURBO_PREFETCH], ids=["prefetch", "prerender", "Turbo"]
)
def test_inv4_a_prefetch_uses_up_nothing(left, url, headers):
    response = left.get(url, headers=headers)
    assert response.status_code == 401  # browsers, and Turbo, throw it away
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies

    again = left.get(url, headers=PAGE)
    assert (again.status_code, again["Session-Ended"]) == (302, "superseded")
    assert shown(left.get(again["Location"], headers=PAGE)) == [TOLD]


def test_inv4_a_prefetch_of_a_public_page_uses_up_nothing(left):
    for url in ("/greeting/", LOGIN):
        response = left.get(url, headers=PREFETCH)
        assert response.status_code == 200
        assert "sessionid" not in response.cookies
        assert "messages" not in response.cookies

    assert lands_on_login_page(left) == [TOLD]


def test_inv4_a_prefetched_login_page_leaves_the_message_for_the_one_that_is_seen(left):
    left.get("/api/private/", headers=API)

    assert shown(left.get(LOGIN, headers=PREFETCH)) == [TOLD]
    assert shown(left.get(LOGIN, headers=PAGE)) == [TOLD]
    assert shown(left.get(LOGIN, headers=PAGE)) == []


async def test_inv4_the_same_under_asgi(alice):
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.sign_in()
    await new.sign_in()

    assert (await old.get("/async/private/", headers=PREFETCH)).status_code == 401
    assert (await old.get("/async/api/private/", headers=HTMX))["HX-Redirect"]
    for headers in (PREFETCH, PAGE):
        (text,) = shown(await old.get(LOGIN, headers=headers))
        assert "you were signed out here" in text


def test_inv4_status_uses_up_nothing(left):
    address = "/session/status/"
    for _ in range(2):
        response = left.get(address, headers=API)
        assert response.json()["reason"] == "superseded"
        assert not response.cookies

    assert lands_on_login_page(left) == [TOLD]
