"""A sign-in by tokens that finds no place: told to those who listen, and to the app."""

import logging
from typing import Any

from rest_framework.response import Response

from live_single_session import policy, refusals, registry
from live_single_session.conf import conf
from live_single_session.farewell import login_url
from live_single_session.models import UserSession
from live_single_session.signals import login_refused

logger = logging.getLogger("live_single_session")


def asks() -> bool:
    """Tell whether users may choose to end the sessions that are in the way."""
    return conf.ON_LIMIT == policy.ASK


def answer_refusal(request: Any, refused: registry.LoginRefused) -> Response:
    """Return the 409 ``session_limit``, and tell those who listen.

    Args:
        request: the request that wanted to sign in, Django's or Django REST framework's.
        refused: what ``sign_in()`` raised.
    """
    _announce(getattr(request, "_request", request), refused)
    return Response(refusal_body(refused), status=409)


def refusal_body(refused: registry.LoginRefused) -> dict[str, Any]:
    """Return the JSON of a 409: who is in the way, and how to take over where one may.

    ``take_over`` is good for one sign-in, and only as long as nobody else has signed in:
    an app that sends it without asking its user can't end what the user has never seen.
    """
    live = list(refused.live)
    body: dict[str, Any] = {
        "code": "session_limit",
        "detail": refusals.detail(refused.live),
        "login_url": login_url(),
        "sessions": [place.as_json() for place in refusals.places(live)],
    }
    if asks():
        over = policy.over_limit(live, refused.terms.limit, by_use=registry.by_use())
        body["detail"] = refusals.question(live, over)
        body["take_over"] = refused.serial
    return body


def _announce(request: Any, refused: registry.LoginRefused) -> None:
    user, number = refused.user, len(refused.live)
    facts = {"user_id": str(user.pk), "slot": refused.terms.slot}
    if asks():
        text = "The sign-in of user %s waits for a choice: signed in %s times already"
        logger.info(text, user.pk, number, extra={"event": "asked", **facts})
        return
    text = "The sign-in of user %s was refused: signed in %s times already"
    logger.info(text, user.pk, number, extra={"event": "refused", **facts})
    login_refused.send_robust(UserSession, user=user, request=request, live=refused.live)
