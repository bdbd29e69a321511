"""The response to a sign-in by tokens that the session limit refuses."""

from typing import Any

from rest_framework.response import Response

from live_single_session.exceptions import LoginRefused
from live_single_session.http import refusals


def answer_refusal(request: Any, refused: LoginRefused) -> Response:
    """Return the 409 ``session_limit`` of a sign-in.

    Args:
        request: the request that wanted to sign in, Django's or Django REST framework's.
        refused: what ``sign_in()`` raised.
    """
    return Response(refusals.body(refused), status=409)
