"""The response to a sign-in by tokens that the session limit refuses."""

from typing import Any

from rest_framework.response import Response

from live_single_session.exceptions import LoginRefused
from live_single_session.http import refusals
from live_single_session.registry import limits
from live_single_session.site_urls import login_url


def answer_refusal(request: Any, refused: LoginRefused) -> Response:
    """Return the 409 ``session_limit`` of a sign-in.

    Args:
        request: the request that wanted to sign in, Django's or Django REST framework's.
        refused: what ``sign_in()`` raised.
    """
    return Response(refusal_body(refused), status=409)


def refusal_body(refused: LoginRefused) -> dict[str, Any]:
    """Return the JSON of a 409: which sessions are kept, and how to take over.

    ``take_over`` is valid for one sign-in, and only until the user signs in elsewhere. So it
    ends only sessions that were in the list.
    """
    body: dict[str, Any] = {
        "code": "session_limit",
        "detail": refusals.detail(refused.live),
        "login_url": login_url(),
        "sessions": [info.as_choice() for info in refusals.described(refused.live)],
    }
    if refused.asks:
        excess = limits.over_limit(refused.live, refused.terms)
        body["detail"] = refusals.question(refused.live, excess)
        body["take_over"] = refused.serial
    return body
