"""A login that finds no place: it waits for its user's choice, or it is refused.

Pages are redirected: to the choice, or back to the login page, with a message. A login
page that signs its visitors in by itself, as that of a single sign-on does, would come
straight back: then the answer is a page of our own. APIs get JSON.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from live_single_session import engine, pending, policy, registry
from live_single_session.answers import is_page, with_query
from live_single_session.conf import conf
from live_single_session.devices import class_of, device_of
from live_single_session.farewell import login_url
from live_single_session.goals import goals_of
from live_single_session.models import UserSession
from live_single_session.signals import login_refused

logger = logging.getLogger("live_single_session")

# Where a session holds when this browser's login was last refused. Nobody sends a form
# twice in that time, but a single sign-on comes back at once.
REFUSED_AT = "_live_single_session_refused_at"
AT_ONCE_SECONDS = 30


def choose_url() -> str | None:
    """Return the address of the choice; None where the site doesn't include it."""
    try:
        return reverse("live_single_session:choose")
    except NoReverseMatch:
        return None


def to_keep(request: HttpRequest, refused: registry.LoginRefused) -> dict[str, Any]:
    """Return what the browser's session keeps when it is signed out again."""
    session = request.session
    kept = {REFUSED_AT: session[REFUSED_AT]} if REFUSED_AT in session else {}
    if refused.terms.on_limit != policy.ASK or choose_url() is None:
        return kept
    return pending.of_login(request, refused, goals_of(request)).pack()


def announce(request: HttpRequest, refused: registry.LoginRefused) -> None:
    """Say what became of the login, in the log and to those who listen; once."""
    if refused.announced:
        return
    refused.announced = True
    user, number = refused.user, len(refused.live)
    facts = {"user_id": str(user.pk), "slot": refused.terms.slot}
    if pending.KEY in request.session:
        text = "The sign-in of user %s waits for a choice: signed in %s times already"
        logger.info(text, user.pk, number, extra={"event": "asked", **facts})
        return
    text = "The sign-in of user %s was refused: signed in %s times already"
    logger.info(text, user.pk, number, extra={"event": "refused", **facts})
    login_refused.send_robust(UserSession, user=user, request=request, live=refused.live)


def note(request: HttpRequest, refused: registry.LoginRefused) -> None:
    """Remember the refusal, for where the exception can't be caught: in another middleware."""
    request._live_single_session_refused = refused  # type: ignore[attr-defined]


def noted_in(request: HttpRequest) -> registry.LoginRefused | None:
    """Return what ``note()`` noted of this request, if anything."""
    return getattr(request, "_live_single_session_refused", None)


def forget(request: HttpRequest) -> None:
    """Leave nothing of earlier refusals in a session that was signed in to."""
    for key in (pending.KEY, REFUSED_AT):
        request.session.pop(key, None)


# Answers


def found_in(exception: BaseException) -> registry.LoginRefused | None:
    """Return the refusal that an exception is, or holds.

    Asynchronous receivers of ``user_logged_in`` may fail beside it, in one group.
    """
    if isinstance(exception, registry.LoginRefused):
        return exception
    if isinstance(exception, BaseExceptionGroup):
        return next(filter(None, map(found_in, exception.exceptions)), None)
    return None


def answer(request: HttpRequest, refused: registry.LoginRefused) -> HttpResponse:
    """Return the answer to a request whose login found no place."""
    announce(request, refused)  # a token's, which no session was made for
    _flush_again(request, refused.user)
    waiting = pending.of_session(request.session)
    if not is_page(request):
        response: HttpResponse = _json(request, refused, waiting)
    elif waiting is not None:
        response = HttpResponseRedirect(str(choose_url()))
    elif _would_come_back(request):
        response = _own_page(request, refused)
    else:
        messages.warning(request, detail(refused.live), fail_silently=True)
        response = HttpResponseRedirect(_back(request))
    add_never_cache_headers(response)
    return response


def answer_everywhere(request: HttpRequest, refused: registry.LoginRefused) -> HttpResponse:
    """Return the answer where a middleware signs in on every page: no other one helps."""
    announce(request, refused)
    _flush_again(request, refused.user)
    pending.drop(request.session)
    answer = _own_page(request, refused) if is_page(request) else _json(request, refused, None)
    add_never_cache_headers(answer)
    return answer


@sensitive_variables()
def _flush_again(request: HttpRequest, user: Any) -> None:
    """Leave nothing of the session that the login has flushed.

    With ``ATOMIC_REQUESTS`` that was rolled back with the view.
    """
    registry.leave(user, request)
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if cookie and cookie != request.session.session_key and engine.keeps_keys():
        engine.forget(cookie)


def detail(live: tuple[UserSession, ...]) -> str:
    """Return in words why a login is refused, and what to do."""
    device = device_of(live[0].user_agent) if len(live) == 1 else None
    if device is not None:
        return _(
            "You are already signed in on another device (%(device)s). "
            "Sign out there first, then sign in here."
        ) % {"device": device}
    if len(live) == 1:
        return _(
            "You are already signed in on another device. "
            "Sign out there first, then sign in here."
        )
    return _(
        "You are already signed in on as many devices as are allowed. "
        "Sign out on one of them first, then sign in here."
    )


def question(live: list[UserSession], over: list[UserSession]) -> str:
    """Return in words what a user has to choose."""
    if not over:
        return _("You may sign in here now.")
    if len(live) == 1:
        return _(
            "You are still signed in on another device. "
            "If you carry on here, you will be signed out there."
        )
    if len(over) == 1:
        return _(
            "You are signed in on as many devices as are allowed. "
            "If you carry on here, you will be signed out on one of them."
        )
    return _(
        "You are signed in on as many devices as are allowed. "
        "If you carry on here, you will be signed out on %(number)s of them."
    ) % {"number": len(over)}


def _json(
    request: HttpRequest, refused: registry.LoginRefused, waiting: pending.Pending | None
) -> JsonResponse:
    body = {
        "code": "session_limit",
        "detail": detail(refused.live),
        "login_url": login_url(),
        "sessions": [place.as_json() for place in places(refused.live)],
    }
    if waiting is not None:
        get_token(request)  # sets the cookie that the answer has to come with
        body |= asked_body(waiting, refused.user)
    return JsonResponse(body, status=409)


def asked_body(waiting: pending.Pending, user: Any) -> dict[str, Any]:
    """Return the JSON of a question: what is asked, and how to answer it."""
    live = waiting.rivals(user)
    over = waiting.giving_way(live)
    return {
        "code": "session_limit",
        "detail": question(live, over),
        "login_url": waiting.login_page,
        "sessions": [place.as_json() for place in places(live, over)],
        "choose_url": choose_url(),
        "choices": ["continue", "cancel"],
        "expires_in": waiting.seconds_left,
    }


def _own_page(request: HttpRequest, refused: registry.LoginRefused) -> HttpResponse:
    context = {
        "detail": detail(refused.live),
        "places": places(refused.live),
        "login_page": _back(request),
    }
    return render(request, "live_single_session/refused.html", context, status=409)


def _would_come_back(request: HttpRequest) -> bool:
    """Tell whether a redirect to the login page could end up here again, and again."""
    if _is_form(request):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if request.method == "POST" and site == "cross-site":
        return True  # it comes without the cookie that would tell
    now = time.time()
    earlier: float = request.session.get(REFUSED_AT, 0)
    request.session[REFUSED_AT] = now
    return abs(now - earlier) < AT_ONCE_SECONDS


def _is_form(request: HttpRequest) -> bool:
    """Tell whether somebody filled in a form of this site to send this request."""
    if request.method != "POST":
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    return goals_of(request).is_login_page


def _back(request: HttpRequest) -> str:
    """Return the address of the login page, with what it was asked for and a reason."""
    goals = goals_of(request)
    query: dict[str, str] = {}
    if goals.is_login_page:
        told = (goals.next_field, "refused", "ended")
        query = {key: str(value) for key, value in request.GET.items() if key not in told}
    if goals.next:
        query[goals.next_field] = goals.next
    return with_query(goals.login_page, {**query, "refused": "limit"})


# Where the user is signed in


@dataclass(frozen=True)
class Place:
    """A device that the user is signed in on, as somebody who knows the password sees it."""

    id: str
    device: str
    device_class: str
    ip: str | None
    started_at: datetime
    last_seen_at: datetime | None
    gives_way: bool

    @property
    def started(self) -> str:
        """When the user signed in there, in words."""
        return ago(self.started_at)

    @property
    def last_seen(self) -> str:
        """When it was last in use, in words; empty where that isn't recorded."""
        return "" if self.last_seen_at is None else ago(self.last_seen_at)

    def as_json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        last_seen_at = self.last_seen_at
        return {
            "session": self.id,
            "device": self.device or None,
            "ip": self.ip,
            "started_at": self.started_at.isoformat(),
            "last_seen_at": None if last_seen_at is None else last_seen_at.isoformat(),
        }


def places(
    live: tuple[UserSession, ...] | list[UserSession], over: list[UserSession] | None = None
) -> list[Place]:
    """Describe sessions, the newest first.

    Args:
        live: the sessions, those that give way first.
        over: those that are to give way.
    """
    giving_way = {row.pk for row in over or ()}
    tells_ip = "ip" in conf.DISCLOSE
    return [
        Place(
            id=str(row.pk),
            device=str(device_of(row.user_agent) or ""),
            device_class=class_of(row.user_agent),
            ip=row.ip if tells_ip else None,
            started_at=row.started_at,
            last_seen_at=row.last_seen_at if registry.by_use() else None,
            gives_way=row.pk in giving_way,
        )
        for row in reversed(live)
    ]


def ago(moment: datetime) -> str:
    """Return a time of the past in words, in the language that is active."""
    passed = timezone.now() - moment
    if passed.total_seconds() < 60:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)}
