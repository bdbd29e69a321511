"""The test site, and a consumer of its own that speaks before it is spoken to."""

import os

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.operations.tested_site.settings")
django_application = get_asgi_application()

from live_single_session.routing import (  # noqa: E402
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)


class Greeter(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(text_data="hello " + self.scope["user"].get_username())


class Closed(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


own = [path("ws/greeter/", Greeter.as_asgi()), path("ws/closed/", Closed.as_asgi())]
application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            SingleSessionMiddlewareStack(URLRouter([*websocket_urlpatterns, *own]))
        ),
    }
)
