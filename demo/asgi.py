"""The demo's entry point: Django for HTTP, Channels for websockets."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
django_application = get_asgi_application()  # sets Django up; what needs models comes after

from live_single_session.routing import (  # noqa: E402
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(
            # A site's own patterns go into the same list: their sockets end, too.
            SingleSessionMiddlewareStack(URLRouter([*websocket_urlpatterns]))
        ),
    }
)
