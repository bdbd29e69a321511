"""Browsers without a window: Django's test clients, and websockets with their cookies."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from live_single_session.conf import conf
from live_single_session.models import SESSION_ID_KEY, UserSession
from tests.asgi import application
from tests.helpers.agents import FIREFOX as FIREFOX
from tests.helpers.agents import SAFARI as SAFARI
from tests.servers.waiting import PATIENCE
from tests.site.people import credentials

PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html,*/*;q=0.8"}
FORM = {**PAGE, "Sec-Fetch-Site": "same-origin"}
API = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


class WithCookies:
    """What is known of a browser by its cookies."""

    @property
    def cookie(self):
        """The session cookie; None if there is none."""
        morsel = self.cookies.get(settings.SESSION_COOKIE_NAME)
        return morsel.value if morsel is not None and morsel.value else None

    @cookie.setter
    def cookie(self, value):
        self.cookies[settings.SESSION_COOKIE_NAME] = value


class Browser(WithCookies, Client):
    """Somebody's browser; `twin` is "/async" to go through the async views."""

    def __init__(self, twin="", **options):
        super().__init__(**options)
        self.twin = twin

    @classmethod
    def signed_in(cls, name="alice", **options):
        browser = cls(**options)
        browser.sign_in(name)
        return browser

    def get(self, path, *args, **options):
        return super().get(self.twin + path, *args, **options)

    def post(self, path, *args, **options):
        return super().post(self.twin + path, *args, **options)

    def post_json(self, path, data=None, **options):
        return self.post(path, data or {}, content_type="application/json", **options)

    def try_to_sign_in(self, name="alice", path="/api/login/", headers=API, **extra):
        """Send the name and the password as JSON; return the answer, whatever it is."""
        return self.post_json(path, credentials(name), headers=headers, **extra)

    def sign_in(self, name="alice", path="/api/login/", headers=None, **extra):
        response = self.try_to_sign_in(name, path, headers, **extra)
        assert response.status_code == 200, response.content
        return response

    def fill_in(self, path="/accounts/login/", name="alice", headers=FORM, **more):
        """Send the form of a login page; return the answer, whatever it is."""
        return self.post(path, credentials(name) | more, headers=headers)

    def sign_out(self):
        return self.post_json("/api/logout/")

    def who(self):
        """Who the site takes this browser for; None for nobody."""
        response = self.get("/whoami/")
        assert response.status_code == 200, response.content
        return response.json()["user"]

    @property
    def session_id(self):
        """The id of the session that this browser is signed in to."""
        return self.session.get(SESSION_ID_KEY)

    @property
    def row(self):
        return UserSession.objects.get(pk=self.session_id)

    def why_ended(self):
        """The reason that an API request is told; None if it is served."""
        response = self.get("/api/private/", headers={"Accept": "application/json"})
        if response.status_code == 200:
            return None
        assert response.status_code == 401, response.content
        body = response.json()
        if "code" not in body:
            return "(not told)"
        assert body["code"] == "session_ended"
        assert response["Session-Ended"] == body["reason"]
        return body["reason"]


def who(*browsers):
    """Who is signed in, in each of them."""
    return [browser.who() for browser in browsers]


def live():
    return list(UserSession.objects.live().order_by("serial"))


def reasons():
    """How the sessions ended, in the order in which they started."""
    return list(UserSession.objects.order_by("serial").values_list("end_reason", flat=True))


class AsyncBrowser(WithCookies, AsyncClient):
    """Somebody's browser, which has websockets too."""

    async def post_json(self, path, data=None, **options):
        return await self.post(path, data or {}, content_type="application/json", **options)

    async def try_to_sign_in(
        self, name="alice", path="/async/api/login/", headers=API, **extra
    ):
        return await self.post_json(path, credentials(name), headers=headers, **extra)

    async def sign_in(self, name="alice", path="/async/api/login/", headers=None, **extra):
        response = await self.try_to_sign_in(name, path, headers, **extra)
        assert response.status_code == 200, response.content
        return response

    async def row(self):
        session = await self.asession()
        rows = UserSession.objects.select_related("user")
        return await rows.aget(pk=await session.aget(SESSION_ID_KEY))

    @property
    def cookie_header(self):
        """As an ASGI server passes it on."""
        pairs = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        return b"cookie", pairs.encode("latin1")

    async def who(self):
        return (await self.get("/async/whoami/")).json()["user"]

    def socket(self, session=None, **options):
        """Open the package's own websocket: ``async with browser.socket(id) as socket``."""
        query = "" if session is None else f"?session={session}"
        return self.websocket(conf.WEBSOCKET_PATH + query, **options)

    @asynccontextmanager
    async def websocket(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        subprotocols: Iterable[str] = (),
        application=application,
    ) -> AsyncIterator["Socket"]:
        sent = {"Origin": "http://testserver", **(headers or {})}
        encoded = [(name.lower().encode(), v.encode("latin1")) for name, v in sent.items()]
        if self.cookies:
            encoded.append(self.cookie_header)
        socket = Socket(application, path, encoded, list(subprotocols))
        await socket.open()
        try:
            yield socket
        finally:
            await socket.disconnect(timeout=PATIENCE)


async def signed_in_browser(name="alice"):
    """A browser whose user, made if need be, has signed in without any view."""
    user, _ = await User.objects.aget_or_create(username=name)
    browser = AsyncBrowser()
    await browser.aforce_login(user)
    return browser


ASKED = {"type": "session.check"}


class Socket(WebsocketCommunicator):
    """One websocket, as the browser sees it."""

    accepted = False
    subprotocol = None  # the one that the server chose
    refusal = None  # the code of a socket that was not accepted

    async def open(self):
        self.accepted, answer = await self.connect(timeout=PATIENCE)
        if self.accepted:
            self.subprotocol = answer
        else:
            self.refusal = answer

    async def frame(self):
        """The next frame but for those that ask, as with ON_SHARED: clients ignore these."""
        while (frame := json.loads(await self.receive_from(timeout=PATIENCE))) == ASKED:
            pass
        return frame

    async def close_code(self):
        message = await self.receive_output(timeout=PATIENCE)
        while message.get("text") == json.dumps(ASKED):
            message = await self.receive_output(timeout=PATIENCE)
        assert message["type"] == "websocket.close", message
        return message["code"]
