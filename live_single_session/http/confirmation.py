"""Ask the site's ``CONFIRM`` before a user ends other sessions, or takes over."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from live_single_session.conf import conf

# What is to be confirmed: to end one other session, all others, or those in the way of a
# sign-in.
END = "end"
END_OTHERS = "end_others"
TAKE_OVER = "take_over"


def ask(request: HttpRequest, user: Any, action: str) -> HttpResponse | None:
    """Return the response that stops an action; None if it may go on.

    Args:
        request: the request that wants it. A page that asks is shown to a GET already.
        user: whose sessions would end.
        action: END, END_OTHERS or TAKE_OVER.

    Raises:
        Exception: whatever ``CONFIRM`` raises; nothing ends then.
    """
    confirm = conf.CONFIRM
    response = None if confirm is None else confirm(request, user, action)
    if response is not None:
        add_never_cache_headers(response)
    return response
