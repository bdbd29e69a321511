"""The test site behind daphne, with websockets by token."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.contrib.simplejwt.settings")
django_application = get_asgi_application()

from live_single_session.contrib.simplejwt import JWTAuthMiddleware  # noqa: E402
from live_single_session.routing import (  # noqa: E402 - it needs the apps to be loaded
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)
from tests.site.consumers import ChatConsumer  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            JWTAuthMiddleware(
                SingleSessionMiddlewareStack(
                    URLRouter(
                        [*websocket_urlpatterns, path("ws/chat/", ChatConsumer.as_asgi())]
                    )
                )
            )
        ),
    }
)
