"""A cache for the whole site keeps no page of a signed-in user (invariants 2 and 10)."""

import pytest
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpResponse, HttpResponseNotModified
from django.urls import include, path
from django.views.decorators.cache import cache_control

from tests.helpers.browsers import PAGE, Browser
from tests.urls import urlpatterns as site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


@login_required
def balance(request):
    return HttpResponse("1,000,000")


def public(request):
    return HttpResponse("for everybody")


urlpatterns = [
    path("balance/", balance),
    path("public/", public),
    path("said/", cache_control(max_age=60)(balance)),
    path("unchanged/", login_required(lambda request: HttpResponseNotModified())),
    path("", include(site)),
]


@pytest.fixture(autouse=True)
def _cached(settings):
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    yield
    cache.clear()


@pytest.fixture
def browser(alice):
    browser = Browser()
    browser.sign_in()
    return browser


def test_inv2_a_dead_cookie_gets_no_private_page_from_the_cache(browser):
    assert browser.get("/balance/", headers=PAGE)["Cache-Control"] == "private"
    Browser().sign_in()
    assert browser.get("/balance/", headers=PAGE).status_code == 302


@pytest.mark.parametrize(
    ("where", "said"), [("/public/", "max-age=600"), ("/said/", "max-age=60")]
)
def test_inv10_what_was_not_read_or_says_itself_stays_as_it_is(browser, where, said):
    assert browser.get(where, headers=PAGE)["Cache-Control"] == said


def test_inv10_an_answer_without_news_gets_no_header(browser):
    assert "private" not in browser.get("/unchanged/").get("Cache-Control", "")
