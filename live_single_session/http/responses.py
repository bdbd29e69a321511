"""HTTP responses to requests whose session has ended: pages are redirected, APIs get JSON."""

from urllib.parse import parse_qs, urlsplit, urlunsplit

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from live_single_session.django_internals import keep_session_cookie, skip_session_cookie
from live_single_session.http import login_page
from live_single_session.notices import HEADER, EndNotice
from live_single_session.site_urls import login_url, with_query

MESSAGE_TAG = "session-ended"

# Browsers send the first; Turbo, which can't, the second; browsers of before 2022 the third.
PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_X_SEC_PURPOSE", "HTTP_PURPOSE")


def is_page(request: HttpRequest) -> bool:
    """Tell whether a request is for a page: a navigation, or a client that accepts HTML."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    accept = request.headers.get("Accept")
    return accept is None or "text/html" in accept


def is_htmx(request: HttpRequest) -> bool:
    """Tell whether htmx asks, which goes elsewhere by a header of its own."""
    return "HX-Request" in request.headers


def is_prefetch(request: HttpRequest) -> bool:
    """Tell whether nobody may ever look at the answer: a prefetch or a prerender."""
    return any("prefetch" in request.META.get(name, "") for name in PURPOSES)


def wants_page(request: HttpRequest) -> bool:
    """Tell pages from JSON for our own views: htmx, Turbo and scripts may ask for the page."""
    return (
        is_page(request) or is_htmx(request) or "text/html" in request.headers.get("Accept", "")
    )


def send_to(request: HttpRequest, url: str, answer: JsonResponse) -> HttpResponse:
    """Return a redirect, or htmx's way to say so, with the JSON that says why.

    Args:
        request: the request of a page, or of htmx inside one.
        url: where the browser is to go.
        answer: what an API client would get.
    """
    if not is_htmx(request):
        return HttpResponseRedirect(url)
    answer.headers["HX-Redirect"] = url
    return answer


def session_ended(
    request: HttpRequest, response: HttpResponseBase, notice: EndNotice
) -> HttpResponseBase:
    """Return the response to a request with the cookie of an ended session.

    A page that needs a login becomes a redirect to the login page, an API request that
    does becomes a 401. What needs none stays as it is. The next page shows the message,
    whoever used up the cookie. A prefetch uses up nothing: browsers drop one that failed.
    """
    told = _answer(request, response, notice)
    if told is not response:
        told.cookies = response.cookies
        add_never_cache_headers(told)
    if is_prefetch(request):
        keep_session_cookie(request)
        skip_session_cookie(told)
        return told
    _leave_message(request, notice)
    told.headers[HEADER] = notice.code
    return told


def _answer(
    request: HttpRequest, response: HttpResponseBase, notice: EndNotice
) -> HttpResponseBase:
    """Return what tells of the end: the response itself where the next page has to."""
    refused = needs_login(request, response)
    as_json = JsonResponse(notice.body(), status=401)
    if refused and (is_prefetch(request) or not (is_page(request) or is_htmx(request))):
        return as_json
    if refused:
        return send_to(request, _login_location(request, response, notice.code), as_json)
    if _is_unexplained_login_page(request, response):
        url = with_query(request.get_full_path(), {"ended": notice.code})
        return send_to(request, url, as_json)
    return response


def needs_login(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether a view refused the request because nobody is signed in."""
    if response.status_code in (401, 403):
        return True
    location = response.headers.get("Location")
    if response.status_code not in (301, 302, 303, 307, 308) or location is None:
        return False
    target = urlsplit(location)
    comes_back_to = parse_qs(target.query).get(REDIRECT_FIELD_NAME, [""])[0]
    return target.path == urlsplit(login_url()).path or comes_back_to in (
        request.get_full_path(),
        request.build_absolute_uri(),
    )


def _is_unexplained_login_page(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Tell whether somebody gets a login page, rendered already, that doesn't say why."""
    return (
        request.method == "GET"
        and response.status_code == 200
        and "ended" not in request.GET
        and wants_page(request)
        and not is_prefetch(request)
        and login_page.is_login_page(request)
    )


def drop_message(request: HttpRequest) -> None:
    """Remove the message for the next page, as the user has signed in again."""
    pending = messages.get_messages(request)
    others = [message for message in pending if message.extra_tags != MESSAGE_TAG]
    for message in others:  # reading has removed them all
        messages.add_message(request, message.level, message.message, message.extra_tags or "")


def keep_message_of_prefetch(request: HttpRequest) -> None:
    """Keep what a prefetched page shows of an ended session: it may never be looked at."""
    if not is_prefetch(request):
        return
    shown = messages.get_messages(request)
    if getattr(shown, "used", False) and _tells_of_end(shown):
        shown.used = False  # type: ignore[union-attr]


def _leave_message(request: HttpRequest, notice: EndNotice) -> None:
    """Leave the message for the next page, once, however many requests are told."""
    pending = messages.get_messages(request)
    if not getattr(pending, "used", True):  # else this very answer shows what there was
        waits = _tells_of_end(pending)
        pending.used = False  # type: ignore[union-attr]
        if waits:
            return
    text = notice.message()
    messages.warning(request, text, extra_tags=MESSAGE_TAG, fail_silently=True)


def _tells_of_end(pending: object) -> bool:
    return MESSAGE_TAG in [message.extra_tags for message in pending]  # type: ignore[attr-defined]


def _login_location(request: HttpRequest, response: HttpResponseBase, reason: str) -> str:
    """Return the URL of the login page that the view redirects to, with the reason."""
    location = response.headers.get("Location")
    page = _page_around(request)
    if location is None:
        back = page or request.get_full_path()
        location = with_query(login_url(), {REDIRECT_FIELD_NAME: back})
    elif page is not None:
        parts = urlsplit(location)
        query = QueryDict(parts.query, mutable=True)
        query[REDIRECT_FIELD_NAME] = page
        location = urlunsplit(parts._replace(query=query.urlencode(safe="/")))
    return with_query(location, {"ended": reason})


def _page_around(request: HttpRequest) -> str | None:
    """Return the page that htmx asks from, where it asks for a piece of that page."""
    whole = ("HX-Boosted", "HX-History-Restore-Request")
    url = request.headers.get("HX-Current-URL")
    if url is None or not is_htmx(request) or any(name in request.headers for name in whole):
        return None
    if not url_has_allowed_host_and_scheme(url, {request.get_host()}):
        return None
    parts = urlsplit(url)  # what follows a # stays in the browser, and out of logs
    return urlunsplit(("", "", parts.path, parts.query, ""))


def busy(request: HttpRequest) -> HttpResponse:
    """Return the answer to a request that others have kept waiting for too long."""
    text = _("Too much is going on with your account at the moment. Please try again.")
    if is_page(request):
        told = HttpResponse(text, content_type="text/plain; charset=utf-8", status=503)
    else:
        told = JsonResponse({"code": "busy", "detail": text}, status=503)
    told.headers["Retry-After"] = "1"
    add_never_cache_headers(told)
    return told
