"""What the package costs: nothing for a request, and the same for every sign-in."""

from collections import Counter

import pytest
from asgiref.sync import AsyncToSync, SyncToAsync
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.utils import timezone

from live_single_session.models import EndReason, UserSession, digest
from tests.helpers.browsers import AsyncBrowser, Browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

urlpatterns = [
    path("public/", lambda request: HttpResponse("Nobody asks who you are.")),
    path("", include("tests.urls")),
]

OURS = "live_single_session.middleware.SingleSessionMiddleware"

SYNC = ["/whoami/", "/private/", "/api/private/"]
ASYNC = ["/async/whoami/", "/async/private/", "/async/api/private/"]
PUBLIC = ["/accounts/login/", "/public/"]


@pytest.fixture
def cost(monkeypatch):
    """Counts what happens in any thread: queries, and hops from loop to thread and back."""
    counted = Counter()

    def count(owner, name, what):
        original = getattr(owner, name)

        def counting(self, *args, **kwargs):
            counted[what] += 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(CursorWrapper, "execute", "queries")
    count(CursorWrapper, "executemany", "queries")
    count(SyncToAsync, "__call__", "hops to a thread")
    count(AsyncToSync, "__call__", "hops to a loop")
    return counted


def without_package(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != OURS]


def cost_of(cost, url, key=None):
    browser = Browser()
    if key:
        browser.cookies["sessionid"] = key
    browser.get("/public/")  # loads the middleware
    cost.clear()
    assert browser.get(url).status_code == 200
    return dict(cost)


async def acost_of(cost, url, key=None):
    browser = AsyncBrowser()
    if key:
        browser.cookies["sessionid"] = key
    await browser.get("/public/")
    cost.clear()
    assert (await browser.get(url)).status_code == 200
    return dict(cost)


@pytest.mark.parametrize("url", SYNC + ASYNC + PUBLIC)
@pytest.mark.parametrize("save_every_request", [False, True])
def test_inv8_a_signed_in_request_costs_nothing(url, save_every_request, alice, cost, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = save_every_request
    browser = Browser()
    browser.sign_in()
    with_package = cost_of(cost, url, browser.cookie)
    without_package(settings)
    assert with_package == cost_of(cost, url, browser.cookie)
    print(url, with_package)


@pytest.mark.parametrize("url", SYNC + ASYNC + PUBLIC)
@pytest.mark.parametrize("save_every_request", [False, True])
async def test_inv8_a_signed_in_request_under_asgi_costs_nothing(
    url, save_every_request, alice, cost, settings
):
    settings.SESSION_SAVE_EVERY_REQUEST = save_every_request
    browser = AsyncBrowser()
    await browser.sign_in()
    with_package = await acost_of(cost, url, browser.cookie)
    without_package(settings)
    assert with_package == await acost_of(cost, url, browser.cookie)
    print(url, with_package)


@pytest.mark.parametrize("url", ["/whoami/", "/async/whoami/", *PUBLIC])
async def test_inv8_an_anonymous_request_costs_nothing(url, cost, settings, db):
    with_package = await acost_of(cost, url)
    without_package(settings)
    assert with_package == await acost_of(cost, url)


def test_inv8_a_dead_cookie_costs_nothing_where_nobody_reads_it(alice, cost, settings):
    old, new = Browser(), Browser()
    old.sign_in()
    new.sign_in()
    with_package = cost_of(cost, "/public/", old.cookie)
    without_package(settings)
    assert with_package == cost_of(cost, "/public/", old.cookie)


def crowd(count):
    """Other users, who are signed in, and were before."""
    now = timezone.now()
    later = now + timezone.timedelta(days=14)
    users = User.objects.bulk_create(User(username=f"user {n}") for n in range(100))
    UserSession.objects.bulk_create(
        UserSession(
            user=users[n % 100],
            serial=n,
            started_at=now,
            expires_at=later,
            session_key=f"key {n}",
            key_digest=digest(f"key {n}"),
            ended_at=now if n % 2 else None,
            end_reason=EndReason.SUPERSEDED if n % 2 else "",
        )
        for n in range(count)
    )
    Session.objects.bulk_create(
        Session(session_key=f"key {n}", session_data="", expire_date=later)
        for n in range(count)
    )


def cost_of_sign_in(cost, url):
    Browser().sign_in(path=url)
    cost.clear()
    Browser().sign_in(path=url)
    return dict(cost)


@pytest.mark.parametrize("url", ["/api/login/", "/async/api/login/"])
def test_a_sign_in_costs_as_much_with_10_000_other_sessions_as_with_one(url, alice, cost):
    crowd(1)
    alone = cost_of_sign_in(cost, url)
    User.objects.filter(username__startswith="user").delete()
    Session.objects.all().delete()
    crowd(10_000)
    in_a_crowd = cost_of_sign_in(cost, url)
    print(f"{url}: {alone} with 1 other session, {in_a_crowd} with 10,000")
    assert in_a_crowd == alone


def test_a_sign_in_costs_as_much_after_many_of_the_same_user(alice, cost):
    first = cost_of_sign_in(cost, "/api/login/")
    now = timezone.now()
    UserSession.objects.bulk_create(
        UserSession(user=alice, serial=serial, ended_at=now, end_reason=EndReason.EXPIRED)
        for serial in range(100, 1100)
    )
    assert cost_of_sign_in(cost, "/api/login/") == first


# How many queries each kind of sign-in takes on PostgreSQL, with BEGIN and COMMIT left out


def queries_of(browser, do):
    with CaptureQueriesContext(connection) as captured:
        do(browser)
    sqls = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in sqls if not sql.startswith(("BEGIN", "COMMIT"))]


BUDGET = {
    "first sign-in": 6,
    "sign-in that replaces another": 8,
    "rotation": 8,
    "sign-out": 8,
    "page": 2,
}


@pytest.mark.parametrize("what", BUDGET)
def test_no_query_creeps_in(alice, bob, what):
    Browser.signed_in("bob")  # the very first one names the installation
    browser = Browser()
    if what != "first sign-in":
        Browser.signed_in("alice")
    if what not in ("first sign-in", "sign-in that replaces another"):
        browser.sign_in()
    do = {
        "rotation": lambda browser: browser.get("/rotate/"),
        "sign-out": lambda browser: browser.sign_out(),
        "page": lambda browser: browser.get("/whoami/"),
    }.get(what, lambda browser: browser.sign_in())
    taken = queries_of(browser, do)
    # SQLite takes its lock by a write of its own, and deletes without a lock.
    more = {"page": 0}.get(what, 1)
    assert len(taken) <= BUDGET[what] + more, "\n".join(taken)
