"""The site behind daphne; the websocket is the package's own, or somebody's, by variant."""

import gc
import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")
django_application = get_asgi_application()

from django.conf import settings  # noqa: E402 - the apps have to be loaded

from benchmarks.site.consumers import Bare, Room, tell_group  # noqa: E402

if settings.WITH_OURS:
    from live_single_session.routing import (
        SingleSessionMiddlewareStack as stack,  # noqa: N813
    )
    from live_single_session.routing import websocket_urlpatterns

    patterns = [*websocket_urlpatterns, path("ws/room/", Room.as_asgi())]
else:
    stack = AuthMiddlewareStack
    patterns = [
        path("ws/live-single-session/", Bare.as_asgi()),
        path("ws/room/", Room.as_asgi()),
    ]

if settings.VARIANT == "bare":
    tell_group.connect()

if os.environ.get("BENCH_GC") == "rarely":  # as the page about deployment advises
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(stack(URLRouter(patterns))),
    }
)
