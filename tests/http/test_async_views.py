"""Invariant 10: async views may use a session synchronously where its engine asks no database.

Django allows it with these engines, and packages do it in their middleware.
"""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.http import JsonResponse
from django.urls import include, path

from live_single_session.models import EndReason
from tests.helpers.browsers import AsyncBrowser, reasons
from tests.helpers.engines import PATHS, use_engine

WITHOUT_DATABASE = ["cache", "file", "signed_cookies"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


async def look(request):
    return JsonResponse({"user": request.session.get(SESSION_KEY)})


async def write(request):
    request.session["written"] = request.session.get("written", 0) + 1
    request.session.save()
    return JsonResponse({"written": request.session["written"]})


async def rotate(request):
    request.session.cycle_key()
    return await look(request)


async def flush(request):
    request.session.flush()
    return await look(request)


urlpatterns = [
    path("", include("tests.urls")),
    *(path(f"sync/{view.__name__}/", view) for view in (look, write, rotate, flush)),
]


@pytest.fixture(params=WITHOUT_DATABASE)
def engine(request, settings, monkeypatch, tmp_path):
    use_engine(request.param, settings, monkeypatch, tmp_path / "sessions")
    return request.param


async def seen_by(browser, view="look"):
    response = await browser.get(f"/sync/{view}/")
    assert response.status_code == 200, response.content
    return response.json()


async def test_inv10_session_is_read_written_and_given_a_key(engine, alice):
    browser, other = AsyncBrowser(), AsyncBrowser()
    await browser.sign_in()
    assert await seen_by(browser) == {"user": str(alice.pk)}
    assert await seen_by(browser, "write") == {"written": 1}
    assert await seen_by(browser, "rotate") == {"user": str(alice.pk)}
    assert await seen_by(browser, "write") == {"written": 2}
    await other.sign_in()
    assert [await seen_by(browser), await seen_by(other)] == [
        {"user": None},
        {"user": str(alice.pk)},
    ]


async def test_inv4_tab_is_told_of_a_flush(engine, alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    async with browser.socket() as socket:
        assert (await socket.receive_json_from())["type"] == "session.ready"
        assert await seen_by(browser, "flush") == {"user": None}
        assert (await socket.receive_json_from())["reason"] == EndReason.LOGGED_OUT
    assert await sync_to_async(reasons)() == [EndReason.LOGGED_OUT]


@pytest.mark.parametrize("name", ["cache", "file"])  # signed cookies are not adopted
async def test_inv10_session_from_before_is_read(name, settings, monkeypatch, tmp_path, alice):
    use_engine(name, settings, monkeypatch, tmp_path / "sessions", fenced=False)
    before = AsyncBrowser()
    await before.sign_in()
    settings.SESSION_ENGINE = PATHS[name]
    browser = AsyncBrowser()  # whose middleware has the new engine
    browser.cookies = before.cookies
    assert await seen_by(browser) == {"user": str(alice.pk)}
    assert await seen_by(browser, "write") == {"written": 1}
    assert await browser.who() == "alice"
    await AsyncBrowser().sign_in()
    assert await seen_by(browser) == {"user": None}
