"""The site of each tenant, with its websockets."""

from channels.db import database_sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection
from django.urls import path

django = get_asgi_application()

from django_tenants.utils import schema_context  # noqa: E402

from live_single_session.routing import (  # noqa: E402
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)
from tests.compatibility.packages.customers.models import Domain  # noqa: E402
from tests.site.consumers import ChatConsumer  # noqa: E402


def find(host):
    with schema_context("public"):
        return Domain.objects.select_related("tenant").get(domain=host).tenant


class OfTenant:
    """Finds the tenant, and keeps it where the site keeps it."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        host = dict(scope["headers"])[b"host"].decode().split(":")[0]
        tenant = await database_sync_to_async(find)(host)
        if settings.KEEP == "context":
            connection.set_tenant(tenant)
        else:
            scope = {**scope, "tenant": tenant}
        await self.inner(scope, receive, send)


sockets = URLRouter([*websocket_urlpatterns, path("ws/chat/", ChatConsumer.as_asgi())])
application = ProtocolTypeRouter(
    {"http": django, "websocket": OfTenant(SingleSessionMiddlewareStack(sockets))}
)
