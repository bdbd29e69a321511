"""HTTP responses to requests whose session has ended: pages are redirected, APIs get JSON."""

from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from live_single_session.notices import HEADER, EndNotice
from live_single_session.site_urls import login_url

MESSAGE_TAG = "session-ended"


def is_page(request: HttpRequest) -> bool:
    """Tell whether a request is for a page: a navigation, or a client that accepts HTML."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    accept = request.headers.get("Accept")
    return accept is None or "text/html" in accept


def is_fetched_ahead(request: HttpRequest) -> bool:
    """Tell whether a browser fetches a page that nobody may ever look at."""
    return "prefetch" in request.headers.get("Sec-Purpose", "")


def session_ended(
    request: HttpRequest, response: HttpResponseBase, notice: EndNotice
) -> HttpResponseBase:
    """Return the response to a request with the cookie of an ended session.

    A page that needs a login becomes a redirect to the login page; for an API request it
    becomes a 401. Other responses stay as they are, and the next page shows the message.
    """
    told = response
    if not is_fetched_ahead(request):
        _leave_message(request, notice)
    if not needs_login(request, response):
        pass
    elif is_page(request):
        told = HttpResponseRedirect(_login_location(request, response, notice.code))
    else:
        told = JsonResponse(notice.body(), status=401)
    if told is not response:
        told.cookies = response.cookies
        add_never_cache_headers(told)
    told.headers[HEADER] = notice.code
    return told


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


def drop_message(request: HttpRequest) -> None:
    """Remove the message for the next page, as the user has signed in again."""
    pending = messages.get_messages(request)
    others = [message for message in pending if message.extra_tags != MESSAGE_TAG]
    for message in others:  # reading has removed them all
        messages.add_message(request, message.level, message.message, message.extra_tags or "")


def _leave_message(request: HttpRequest, notice: EndNotice) -> None:
    text = notice.message()
    messages.warning(request, text, extra_tags=MESSAGE_TAG, fail_silently=True)


def _login_location(request: HttpRequest, response: HttpResponseBase, reason: str) -> str:
    """Return the URL of the login page that the view redirects to, with the reason."""
    location = response.headers.get("Location")
    if location is None:
        location = with_query(login_url(), {REDIRECT_FIELD_NAME: request.get_full_path()})
    return with_query(location, {"ended": reason})


def with_query(url: str, extra: dict[str, str]) -> str:
    """Return a URL with parameters added to its query string."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(extra, safe="/")) if part)
    return urlunsplit(parts._replace(query=query))


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
