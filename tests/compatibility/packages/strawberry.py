"""GraphQL subscriptions of strawberry, behind the stack."""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

django = get_asgi_application()

from strawberry.channels import GraphQLWSConsumer  # noqa: E402

from live_single_session.routing import (  # noqa: E402
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)


@strawberry.type
class Query:
    hello: str = "hello"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: strawberry.Info) -> AsyncGenerator[str, None]:
        while True:
            yield str(info.context["request"].scope["user"])
            await asyncio.sleep(0.05)


schema = strawberry.Schema(query=Query, subscription=Subscription)
sockets = [
    *websocket_urlpatterns,
    re_path("^graphql/$", GraphQLWSConsumer.as_asgi(schema=schema)),
]
application = ProtocolTypeRouter(
    {"http": django, "websocket": SingleSessionMiddlewareStack(URLRouter(sockets))}
)
