"""The test site with apps beside it that are neither Django's nor Channels'."""

import asyncio
from collections.abc import AsyncIterator

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.asgi import django_application

from live_single_session.routing import (  # isort: skip - Django has to be ready
    SingleSessionMiddlewareStack,
    websocket_urlpatterns,
)


async def events(request: Request) -> Response:
    async def ticks() -> AsyncIterator[str]:
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.05)
        finally:
            print("the stream was cleaned up", flush=True)

    return StreamingResponse(ticks(), media_type="text/event-stream")


go_on = asyncio.Event()


async def download(request: Request) -> Response:
    """A file, of which the second half is held back."""

    async def halves() -> AsyncIterator[bytes]:
        yield b"first"
        await go_on.wait()
        yield b"again"

    return StreamingResponse(halves(), headers={"Content-Length": "10"})


async def let_go(request: Request) -> Response:
    go_on.set()
    return Response()


async def whoami(request: Request) -> Response:
    return JSONResponse({"user": request.scope["user"].get_username()})


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as gone:
        print(f"the client left with {gone.code}", flush=True)


starlette = Starlette(
    routes=[
        Route("/starlette/events", events),
        Route("/starlette/download", download),
        Route("/starlette/let-go", let_go),
        Route("/starlette/whoami", whoami),
        WebSocketRoute("/starlette/echo", echo),
    ]
)

application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                re_path(r"^(?=starlette/)", SingleSessionMiddlewareStack(starlette)),
                re_path(r"", django_application),
            ]
        ),
        "websocket": AllowedHostsOriginValidator(
            SingleSessionMiddlewareStack(
                URLRouter([*websocket_urlpatterns, path("starlette/echo", starlette)])
            )
        ),
    }
)
