"""Do the registry, the session engine and the channel layer answer?

For probes and monitors: ``manage.py check_live_session``, and ``view``, which a site may
include in its URLs. Answers name what failed, never a host, a key or a password.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import get_random_string
from django.views.decorators.cache import never_cache

from live_single_session.conf import conf
from live_single_session.models import UserSession
from live_single_session.registry import db, installation

REGISTRY = "registry"
ENGINE = "engine"
CHANNEL_LAYER = "channel_layer"

# A group that nobody is in: what is sent there proves that the layer answers.
NOBODY = "live-single-session.nobody"


@dataclass(frozen=True)
class Answer:
    """What one of them says.

    Attributes:
        name: REGISTRY, ENGINE or CHANNEL_LAYER.
        problem: what is wrong; "" if it answers.
    """

    name: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


def ask() -> Iterator[Answer]:
    """Ask each of them; yield an answer as soon as it is known. Nothing is raised."""
    yield Answer(REGISTRY, _problem_of(_ask_registry))
    yield Answer(ENGINE, _problem_of(_ask_engine))
    yield Answer(CHANNEL_LAYER, _problem_of(_ask_layer))


def is_fatal(answer: Answer) -> bool:
    """Tell whether signed-in users can't be served; without the layer they can."""
    return not answer.ok and answer.name != CHANNEL_LAYER


@non_atomic_requests
@never_cache
def view(request: HttpRequest) -> JsonResponse:
    """Answer 200 if signed-in users can be served here, and 503 if they can't.

    The body says ``"ok"``, ``"degraded"`` (tabs are told late) or ``"down"``, and why.
    """
    answers = list(ask())
    if any(map(is_fatal, answers)):
        status = "down"
    else:
        status = "ok" if all(answer.ok for answer in answers) else "degraded"
    found = {answer.name: answer.problem or "ok" for answer in answers}
    return JsonResponse({"status": status, **found}, status=503 if status == "down" else 200)


def _problem_of(question: Callable[[], str]) -> str:
    try:
        return question()
    except Exception as error:  # its text may name a host, or a password
        return f"it does not answer ({type(error).__name__})"


def _ask_registry() -> str:
    try:
        UserSession.objects.using(db.database()).exists()
    except DatabaseError:
        if installation.tables_exist():
            raise
        return "its table is missing: run manage.py migrate"
    return ""


def _ask_engine() -> str:
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore()
    store.exists(get_random_string(32))
    return ""


def _ask_layer() -> str:
    async def send() -> None:
        layer = get_channel_layer()
        if layer is not None:
            async with asyncio.timeout(conf.PUSH_TIMEOUT_SECONDS):
                await layer.group_send(NOBODY, {"type": NOBODY})

    async_to_sync(send)()
    return ""
