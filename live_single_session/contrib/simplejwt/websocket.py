"""Websockets by token: the browser's ``WebSocket`` can't send an ``Authorization`` header.

The token is offered as a subprotocol behind the name of one::

    new WebSocket(url, ["live-single-session.bearer", token])

The server answers with the name. The token is neither echoed nor passed to the app inside.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import parse_cookie
from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import AuthenticationFailed

from live_single_session.contrib.simplejwt.authentication import JWTAuthentication
from live_single_session.contrib.simplejwt.bearer import session_id_of
from live_single_session.contrib.simplejwt.conf import conf
from live_single_session.contrib.simplejwt.exceptions import SessionEnded
from live_single_session.models import SESSION_ID_KEY
from live_single_session.realtime.asgi import Application, Message, Receive, Scope, Send
from live_single_session.realtime.guard import Guard

SUBPROTOCOL = "live-single-session.bearer"

Headers = list[tuple[bytes, bytes]]


class JWTAuthMiddleware:
    """Signs websockets in by the tokens that they offer; goes around the stack.

    ::

        AllowedHostsOriginValidator(
            JWTAuthMiddleware(SingleSessionMiddlewareStack(URLRouter([...])))
        )

    A websocket that offers no token is passed to the stack as it is. One that does belongs
    to the token's user, or to nobody; its cookie is ignored. It is closed when its session
    ends, like any other.
    """

    authentication_class: type[JWTAuthentication] = JWTAuthentication

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        self.guarded = Guard(inner)

    @sensitive_variables("token")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = token_in(scope)
        if token is None:
            await self.inner(scope, receive, send)
            return
        scope = without_credentials(scope)
        user, session = await database_sync_to_async(self.sign_in)(token)
        scope = {**scope, "user": user, "session": session}
        await self.guarded(scope, receive, _answering(scope, send))

    @sensitive_variables()
    def sign_in(self, token: str) -> "tuple[Any, TokenSession]":
        """Return the user of a token, and the session that it carries."""
        from django.contrib.auth.models import AnonymousUser

        authentication = self.authentication_class()
        try:
            validated = authentication.get_validated_token(token.encode())
            session_id = session_id_of(validated)
        except AuthenticationFailed:
            return AnonymousUser(), TokenSession()
        try:
            user = authentication.get_user(validated)
        except SessionEnded:
            return AnonymousUser(), TokenSession(ended=session_id)
        except AuthenticationFailed:
            return AnonymousUser(), TokenSession()
        return user, TokenSession(live=session_id)


class TokenSession(SessionBase):
    """Stands for the session of a websocket that a token signs in; it is never stored.

    Args:
        live: the id of the ``UserSession`` that the token carries.
        ended: its id, if it has ended.
    """

    def __init__(self, live: object = None, ended: object = None) -> None:
        super().__init__()
        self._session_cache = {} if live is None else {SESSION_ID_KEY: str(live)}
        self.ended_session_id = ended

    def exists(self, session_key: str | None = None) -> bool:
        """Return False: no such session is stored."""
        return False

    def create(self) -> None:
        """Do nothing."""

    def save(self, must_create: bool = False) -> None:
        """Do nothing."""

    def delete(self, session_key: str | None = None) -> None:
        """Do nothing."""

    def load(self) -> dict[str, Any]:
        """Return no data."""
        return {}


def token_in(scope: Scope) -> str | None:
    """Return the token of a connection; "" if it announces one and sends none."""
    if scope["type"] != "websocket":
        return None
    offered = scope.get("subprotocols") or []
    if SUBPROTOCOL in offered:
        rest = offered[offered.index(SUBPROTOCOL) + 1 :]
        return rest[0] if rest else ""
    name = conf.websocket_query_parameter
    return None if name is None else dict(_query(scope)).get(name)


def without_credentials(scope: Scope) -> Scope:
    """Return a copy of a scope without its token and without its session cookie."""
    offered = list(scope.get("subprotocols") or [])
    if SUBPROTOCOL in offered:
        place = offered.index(SUBPROTOCOL) + 1
        del offered[place : place + 1]
    headers = _harmless(scope.get("headers", ()), offered)
    cookies = parse_cookie(dict(headers).get(b"cookie", b"").decode("latin1"))
    cleaned = {**scope, "subprotocols": offered, "headers": headers, "cookies": cookies}
    if (parameter := conf.websocket_query_parameter) is not None:
        query = [(name, value) for name, value in _query(scope) if name != parameter]
        cleaned["query_string"] = urlencode(query).encode()
    return cleaned


def _harmless(headers: Iterable[tuple[bytes, bytes]], offered: list[str]) -> Headers:
    cookie_name = f"{settings.SESSION_COOKIE_NAME}=".encode()
    cleaned: Headers = []
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            value = ", ".join(offered).encode()
        elif name == b"cookie":
            cookies = (cookie.strip() for cookie in value.split(b";"))
            value = b"; ".join(c for c in cookies if not c.startswith(cookie_name))
        cleaned.append((name, value))
    return cleaned


def _answering(scope: Scope, send: Send) -> Send:
    """Choose our subprotocol where the app inside chooses none: browsers require one."""
    if SUBPROTOCOL not in scope["subprotocols"]:
        return send

    async def answer(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return answer


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope.get("query_string", b"").decode("latin1"), keep_blank_values=True)
