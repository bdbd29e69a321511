"""``{% live_single_session %}``: what it writes, for whom, and what it never does."""

import html
import re

import django
import pytest
from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, Template, TemplateSyntaxError
from django.test import AsyncRequestFactory, RequestFactory
from django.utils.functional import SimpleLazyObject
from django.utils.translation import override

from live_single_session.backends.db import SessionStore
from live_single_session.models import SESSION_ID_KEY
from live_single_session.templatetags.live_single_session import script_tag
from tests.helpers.browsers import AsyncBrowser, Browser

ID = "7f8c2f0c-6c5d-4a39-9f0e-2f6a54e3a8d1"


class LazyNonce:
    """Django 6's: false until it is used."""

    def __bool__(self):
        return False

    def __str__(self):
        return "n0nce"


@pytest.fixture
def request_of(db):
    """`request_of(user)`: a request whose session is loaded, and carries an id."""

    def make(user, factory=RequestFactory):
        request = factory().get("/")
        request.session = SessionStore()
        request.session[SESSION_ID_KEY] = ID
        request.user = user
        return request

    return make


def render(context, tag="{% live_single_session %}"):
    return Template("{% load live_single_session %}" + tag).render(Context(context))


def attributes(markup):
    pairs = re.findall(r'([\w-]+)="([^"]*)"', markup)
    return {name: html.unescape(value) for name, value in pairs}


def test_writes_what_the_script_needs(request_of, alice):
    markup = render({"request": request_of(alice)})

    assert re.fullmatch(r"<script( [^>]*)? defer( [^>]*)?></script>", markup)
    assert (
        attributes(markup).items()
        >= {
            "src": "/static/live_single_session/live-single-session.js",
            "data-session": ID,
            "data-socket": "/ws/live-single-session/",
            "data-status": "/session/status/",
            "data-login-url": "/accounts/login/",
            "data-on-ended": "dialog",
            "data-recheck": "30.0",
            "data-text-sign-in": "Sign in again",
        }.items()
    )


def test_an_anonymous_visitor_may_sign_in_without_a_new_page(request_of):
    """The script is there then, asks for nothing until that happens, and names no session."""
    markup = render({"request": request_of(AnonymousUser())})

    assert re.search(r" data-anonymous[ >]", markup)
    assert "data-session" not in markup
    assert "data-anonymous" not in render({"request": request_of(User(pk=1))})


@pytest.mark.parametrize("context", [{}, {"request": None}])
def test_writes_nothing_without_a_request(context):
    assert render(context) == ""


def test_writes_nothing_without_sessions_or_users(rf, alice):
    request = rf.get("/")
    assert render({"request": request}) == ""
    request.user = alice
    assert render({"request": request}) == ""
    del request.user
    request.session = {}
    assert render({"request": request}) == ""


def test_leaves_the_id_out_for_a_session_that_has_none_yet(request_of, alice):
    """It is from before the installation: the middleware adopts it on the way out."""
    request = request_of(alice)
    del request.session[SESSION_ID_KEY]
    assert attributes(render({"request": request}))["data-session"] == ""


def test_follows_the_settings(request_of, alice, settings):
    settings.LIVE_SINGLE_SESSION = {"WEBSOCKET_PATH": "/live/", "RECHECK_SECONDS": 5}
    settings.LOGIN_URL = "admin:login"
    written = attributes(render({"request": request_of(alice)}))
    assert written["data-socket"] == "/live/"
    assert written["data-recheck"] == "5.0"
    assert written["data-login-url"] == "/admin/login/"


def test_does_without_the_urls_of_the_package(request_of, alice, settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    settings.LOGIN_URL = "/in/"
    markup = render({"request": request_of(alice)})
    assert "data-status" not in attributes(markup)
    assert attributes(markup)["data-login-url"] == "/in/"


@pytest.mark.parametrize("on_ended", ["dialog", "redirect", "reload", "none"])
def test_on_ended_is_passed_on(request_of, alice, on_ended):
    markup = render(
        {"request": request_of(alice)}, f"{{% live_single_session on_ended='{on_ended}' %}}"
    )
    assert attributes(markup)["data-on-ended"] == on_ended


def test_on_ended_names_the_choices_where_it_is_none_of_them(request_of, alice):
    with pytest.raises(TemplateSyntaxError, match="dialog, redirect, reload, none"):
        render({"request": request_of(alice)}, "{% live_single_session on_ended='popup' %}")


def test_escapes_even_where_escaping_is_off(request_of, alice, settings):
    settings.LOGIN_URL = '/"><script>alert(1)</script>/'
    markup = render(
        {"request": request_of(alice)},
        "{% autoescape off %}{% live_single_session %}{% endautoescape %}",
    )
    assert "<script>alert" not in markup
    assert attributes(markup)["data-login-url"] == settings.LOGIN_URL


def test_carries_the_nonce_of_django_though_it_is_false(request_of, alice):
    markup = render({"request": request_of(alice), "csp_nonce": LazyNonce()})
    assert attributes(markup)["nonce"] == "n0nce"


if django.VERSION >= (6, 0):  # which brings nonces

    def test_carries_the_real_nonce_of_django(request_of, alice):
        from django.utils import csp

        markup = render({"request": request_of(alice), "csp_nonce": csp.LazyNonce()})
        assert attributes(markup)["nonce"]


def test_carries_the_nonce_of_django_csp(request_of, alice):
    request = request_of(alice)
    request.csp_nonce = SimpleLazyObject(lambda: "n0nce")
    assert attributes(render({"request": request}))["nonce"] == "n0nce"


def test_has_no_nonce_without_one(request_of, alice):
    assert "nonce" not in attributes(render({"request": request_of(alice)}))


@pytest.mark.parametrize(("limit", "is_said"), [(1, True), (2, False), (None, False)])
def test_says_that_a_sign_in_ends_the_other_session_where_it_does(
    request_of, alice, settings, limit, is_said
):
    settings.LIVE_SINGLE_SESSION = {"LIMIT": limit}
    assert ("data-text-again" in render({"request": request_of(alice)})) == is_said


KEEP = "{% live_single_session keep_drafts=True keep_fragment=True %}"


def test_keeps_nothing_unless_it_is_asked_to(request_of, alice):
    assert "keep.js" not in render({"request": request_of(alice)})


def test_drafts_are_kept_under_a_name_that_tells_users_apart_and_no_more(
    request_of, alice, bob
):
    owners = [
        attributes(render({"request": request_of(user)}, KEEP))["data-keep-drafts"]
        for user in (alice, alice, bob)
    ]

    assert owners[0] == owners[1] != owners[2]
    assert re.fullmatch(r"[0-9a-f]{16}", owners[0])


def test_nothing_is_kept_for_an_anonymous_visitor(request_of):
    assert "keep.js" not in render({"request": request_of(AnonymousUser())}, KEEP)


def test_what_keeps_drafts_carries_the_nonce_too(request_of, alice):
    assert render({"request": request_of(alice), "csp_nonce": "abc"}, KEEP).count("abc") == 2


def test_speaks_the_language_of_the_page(request_of, alice):
    with override("de"):
        assert attributes(render({"request": request_of(alice)}))["data-text-sign-in"]


def test_serves_other_template_engines_too(request_of, alice):
    markup = script_tag(request_of(alice), on_ended="reload", nonce="abc")
    assert attributes(markup)["data-on-ended"] == "reload"
    assert attributes(markup)["nonce"] == "abc"


def test_is_in_the_pages_of_a_site(db, alice):
    browser = Browser()
    browser.sign_in()
    markup = browser.get("/private/").content.decode()
    session = browser.session[SESSION_ID_KEY]
    assert f'data-session="{session}"' in markup


# In the event loop, where whatever has not been loaded cannot be


@pytest.fixture
def lazily_signed_in(transactional_db, alice):
    """A request as an async view gets it: nobody has asked who it is from."""
    session = SessionStore()
    login = RequestFactory().get("/")
    login.session = session
    auth.login(login, alice, "django.contrib.auth.backends.ModelBackend")
    session.save()

    request = AsyncRequestFactory().get("/")
    request.session = SessionStore(session.session_key)
    request.user = SimpleLazyObject(lambda: auth.get_user(request))
    return request


async def test_in_the_event_loop_an_unknown_visitor_gets_the_script_without_an_id(
    lazily_signed_in,
):
    written = attributes(render({"request": lazily_signed_in}))
    assert written["data-session"] == ""
    assert "_session_cache" not in lazily_signed_in.session.__dict__
    assert "_cached_user" not in lazily_signed_in.__dict__


async def test_in_the_event_loop_a_loaded_session_is_used(lazily_signed_in):
    await lazily_signed_in.session.aget("anything")
    expected = lazily_signed_in.session[SESSION_ID_KEY]
    assert attributes(render({"request": lazily_signed_in}))["data-session"] == str(expected)


async def test_in_the_event_loop_a_loaded_session_of_nobody_is_enough(lazily_signed_in):
    await lazily_signed_in.session.aflush()
    await lazily_signed_in.session.aget("anything")
    assert " data-anonymous" in render({"request": lazily_signed_in})


async def test_in_the_event_loop_a_user_found_by_auser_is_used(lazily_signed_in):
    lazily_signed_in._acached_user = await sync_to_async(auth.get_user)(lazily_signed_in)
    assert attributes(render({"request": lazily_signed_in}))["data-session"]


async def test_in_the_event_loop_a_user_without_a_loaded_session_has_no_id(
    lazily_signed_in, alice
):
    """Signed in by other means, as a token's user is."""
    lazily_signed_in.user = alice
    assert attributes(render({"request": lazily_signed_in}))["data-session"] == ""


async def test_async_pages_have_it(transactional_db, alice):
    browser = AsyncBrowser()
    await browser.sign_in()
    response = await browser.get("/async/private/")
    assert b"live-single-session.js" in response.content


@pytest.mark.parametrize("mode", ["observe", "end", "ignore"])
def test_the_script_that_says_a_name_is_there_where_it_is_asked_for(
    request_of, alice, settings, mode
):
    settings.LIVE_SINGLE_SESSION = {"ON_SHARED": mode}
    page = script_tag(request_of(alice), nonce="n")
    scripts = re.findall(r'<script([^>]*) src="[^"]*/([\w-]+)\.js"', page)
    expected = ["live-single-session-shared", "live-single-session"]
    assert [name for _, name in scripts] == expected[mode == "ignore" :]
    assert page.count('nonce="n"') == len(scripts)
