"""Whatever a client sends: no 5xx, no traceback, no session key in anything that comes back.

Raw ASGI, so that nothing tidies up what is sent. `make fuzz` runs it for much longer:
`FUZZ_EXAMPLES` says how many examples each test takes, which are new ones each time.
"""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import get_user_model
from hypothesis import example, given
from hypothesis import strategies as st

from live_single_session.models import UserSession
from tests.fuzz.examples import fuzz
from tests.helpers.browsers import AsyncBrowser
from tests.helpers.secrets import Secrets
from tests.servers.waiting import PATIENCE
from tests.site.people import PASSWORD

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.contrib.simplejwt.urls"),
    pytest.mark.slow,
]

# What a client may send

junk = st.binary(max_size=60)
text = st.text(max_size=60)
uuids = st.one_of(
    st.uuids().map(str),
    st.sampled_from(["{live}", "{dead}", "{bobs}", "0" * 32, "None", "%00", "'", "1"]),
)
PATHS = [
    "/session/",
    "/session/status/",
    "/session/choose/",
    "/session/end-others/",
    "/accounts/login/",
    "/accounts/logout/",
    "/private/",
    "/async/private/",
    "/api/private/",
    "/api/token/",
    "/api/token/refresh/",
    "/api/token/verify/",
    "/api/token/logout/",
    "/api/me/",
    "/whoami/",
    "/admin/live_single_session/usersession/",
]
paths = st.one_of(
    st.sampled_from(PATHS),
    uuids.map(lambda value: f"/session/{value}/end/"),
    text.map(lambda value: f"/session/{value}"),
)
cookie_values = st.one_of(
    st.sampled_from(["{live}", "{dead}", "{bobs}", "", "a" * 32, "a" * 5000, '"', "\\"]),
    text,
)
cookies = st.one_of(
    st.sampled_from([b"sessionid={live}", b"sessionid={dead}", b"sessionid={bobs}"]),
    cookie_values.map(lambda value: f"sessionid={value}".encode("utf-8", "replace")),
    st.lists(
        st.tuples(st.sampled_from(["sessionid", "csrftoken", "messages", "x"]), cookie_values),
        max_size=4,
    ).map(lambda pairs: "; ".join(f"{k}={v}" for k, v in pairs).encode("utf-8", "replace")),
    junk,
)
values_of_headers = {
    b"accept": [b"text/html", b"application/json", b"*/*", b"text/html;q=x", b","],
    b"accept-language": [b"de", b"xx-yy", b"en;q=9", b"*", b"a" * 3000, b"de-" * 200],
    b"sec-fetch-mode": [b"navigate", b"cors", b"websocket", b""],
    b"sec-fetch-site": [b"same-origin", b"cross-site", b"none"],
    b"user-agent": [b"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Firefox/142.0", b"<script>"],
    b"referer": [b"http://testserver/", b"javascript:alert(1)", b"//evil"],
    b"origin": [b"http://testserver", b"http://evil.example", b"null"],
    b"content-type": [
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"multipart/form-data",
        b"text/plain; charset=nonsense",
    ],
    b"authorization": [b"Bearer x", b"Bearer ", b"Bearer a b", b"Basic \xff", b"{token}"],
    b"x-csrftoken": [b"x", b""],
    b"x-forwarded-for": [b"1.2.3.4", b"::1", b"'"],
}
headers = st.lists(
    st.sampled_from(list(values_of_headers)).flatmap(
        lambda name: st.tuples(
            st.just(name), st.one_of(st.sampled_from(values_of_headers[name]), junk)
        )
    ),
    max_size=5,
)
queries = st.one_of(
    st.tuples(
        st.sampled_from(["session", "next", "page", "ended", "refused", "token"]),
        st.one_of(
            uuids, text, st.sampled_from(["//evil", "http://evil/", "-1", "999999999999"])
        ),
    ).map(lambda pair: urlencode([pair], safe="{}")),
    st.lists(st.tuples(text, text), max_size=3).map(urlencode),
    st.binary(max_size=30)
    .filter(lambda raw: b"#" not in raw)
    .map(lambda raw: raw.decode("latin1")),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["username", "password", "choice", "next", "refresh", "token", "take_over", "x"]
)
bodies = st.one_of(
    st.dictionaries(
        fields,
        st.one_of(text, st.sampled_from(["alice", PASSWORD, "continue", "cancel", "{token}"])),
        max_size=4,
    ).map(lambda form: urlencode(form, safe="{}").encode()),
    st.dictionaries(fields, json_values, max_size=4).map(lambda d: json.dumps(d).encode()),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)
frames = st.lists(
    st.one_of(
        text.map(lambda value: {"text": value}),
        junk.map(lambda value: {"bytes": value}),
        json_values.map(lambda value: {"text": json.dumps(value)}),
        st.sampled_from([{"text": "x" * 5000}, {"text": ""}, {"bytes": b"", "text": None}]),
    ),
    max_size=20,
)
subprotocols = st.lists(
    st.one_of(
        st.sampled_from(["chat", "live-single-session.bearer", "{token}", "a.b.c"]), text
    ),
    max_size=4,
)


# Who is there


class Company:
    """Alice, who is signed in here and was elsewhere, and Bob: their keys and their tokens."""

    _gathered: "Company | None" = None

    @classmethod
    async def gather(cls) -> "Company":
        """Those of the last example, if they are still what they were."""
        if cls._gathered is None or not await cls._gathered.is_intact():
            cls._gathered = await cls._gather()
        return cls._gathered

    async def is_intact(self) -> bool:
        live = UserSession.objects.live().values_list("pk", flat=True)
        return {str(pk) async for pk in live} == {self.live_id, self.bobs_id}

    @classmethod
    async def _gather(cls) -> "Company":
        company = cls()
        user_model = get_user_model()
        for name in ("alice", "bob"):
            if not await user_model.objects.filter(username=name).aexists():
                await user_model.objects.acreate_user(name, password=PASSWORD)
        company.dead, company.dead_id = await sign_in("alice")
        company.live, company.live_id = await sign_in("alice")
        company.bobs, company.bobs_id = await sign_in("bob")
        company.token = await token_of("bob")
        return company

    @property
    def secrets(self) -> Secrets:
        return Secrets({self.dead, self.live, self.bobs, self.token})

    def known(self, value: Any) -> Any:
        """Put the real things in the place of "{live}", "{dead}", ..."""
        if isinstance(value, bytes):
            for name in ("live", "dead", "bobs", "token"):
                value = value.replace(f"{{{name}}}".encode(), getattr(self, name).encode())
        elif isinstance(value, str):
            for name in ("live", "dead", "bobs"):
                value = value.replace(f"{{{name}}}", getattr(self, f"{name}_id"))
            value = value.replace("{token}", self.token)
        return value


async def sign_in(name: str) -> tuple[str, str]:
    browser = AsyncBrowser()
    await browser.sign_in(name)
    return browser.cookie, str((await browser.row()).pk)


async def token_of(name: str) -> str:
    """A token that never worked here: it must not come back all the same."""
    from asgiref.sync import sync_to_async
    from rest_framework_simplejwt.tokens import RefreshToken

    user = await get_user_model().objects.aget(username=name)
    return str(await sync_to_async(RefreshToken.for_user)(user))


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "hypothesis", "faker"):
        caplog.set_level(logging.WARNING, name)
    return caplog


@pytest.fixture(autouse=True)
def _pages_of_the_api(settings: Any) -> None:
    """A browser that opens an endpoint gets one."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "rest_framework"]


def check_log(heard: pytest.LogCaptureFixture, secrets: Secrets) -> None:
    for record in heard.records:
        if record.name.startswith("django.db"):  # which logs queries, with their parameters
            continue
        said = heard.handler.format(record)
        assert record.levelno < logging.ERROR, said
        if record.name != "django.request":  # Django explains its 400s by tracebacks
            assert "Traceback (most recent call last)" not in said
        assert not secrets.found_in(said), record.msg
    heard.clear()


def application() -> Any:
    from tests.contrib.simplejwt.asgi import application

    return application


def everywhere_signed_in(test: Any) -> Any:
    """The page that prints a key is found whichever examples are made up."""
    for path in PATHS:
        test = example(
            method="GET",
            path=path,
            query="",
            cookie=b"sessionid={live}",
            more=[(b"accept", b"text/html")],
            body=b"",
        )(test)
    return test


# Tests


@fuzz(40)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    path=paths,
    query=queries,
    cookie=cookies,
    more=headers,
    body=bodies,
)
@example(
    method="GET",
    path="/api/token/",
    query="",
    cookie=b"",
    more=[(b"accept", b"text/html")],
    body=b"",
)
@everywhere_signed_in
async def test_http(
    method: str,
    path: str,
    query: str,
    cookie: bytes,
    more: list[tuple[bytes, bytes]],
    body: bytes,
    heard: pytest.LogCaptureFixture,
) -> None:
    company = await Company.gather()
    heard.clear()
    body = company.known(body)
    path = company.known(path)
    query = company.known(query)
    more = [(name, company.known(value)) for name, value in more]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query.encode("latin1"),
        "root_path": "",
        "headers": [
            (b"host", b"testserver"),
            (b"cookie", company.known(cookie)),
            *more,
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ["127.0.0.1", 50000],
        "server": ["testserver", 80],
    }
    connection = ApplicationCommunicator(application(), scope)
    await connection.send_input({"type": "http.request", "body": body})
    start = await connection.receive_output(PATIENCE)
    answered = b""
    more_body = True
    while more_body:
        message = await connection.receive_output(PATIENCE)
        answered += message.get("body", b"")
        more_body = message.get("more_body", False)
    await connection.send_input({"type": "http.disconnect"})
    await connection.wait(PATIENCE)
    assert start["status"] < 500, answered[:500]
    said = [value for name, value in start["headers"] if name.lower() != b"set-cookie"]
    for part in (answered, *said):
        assert not company.secrets.found_in(part, sent=(path, query, body, more))
    check_log(heard, company.secrets)


@fuzz(40)
@given(
    path=st.sampled_from(["/ws/live-single-session/", "/ws/chat/"]),
    query=queries,
    cookie=cookies,
    more=headers,
    offered=subprotocols,
    sent=frames,
)
@example(
    path="/ws/live-single-session/",
    query="session=%00",
    cookie=b"sessionid={live}",
    more=[],
    offered=["a"],
    sent=[],
)
async def test_websocket(
    path: str,
    query: str,
    cookie: bytes,
    more: list[tuple[bytes, bytes]],
    offered: list[str],
    sent: list[dict[str, Any]],
    heard: pytest.LogCaptureFixture,
) -> None:
    company = await Company.gather()
    heard.clear()
    offered = [company.known(name) for name in offered]
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": company.known(query).encode("latin1"),
        "root_path": "",
        "headers": [
            (b"host", b"testserver"),
            (b"origin", b"http://testserver"),
            (b"cookie", company.known(cookie)),
            *((n, company.known(v)) for n, v in more if n != b"origin"),
        ],
        "subprotocols": offered,
        "client": ["127.0.0.1", 50000],
        "server": ["testserver", 80],
    }
    socket = ApplicationCommunicator(application(), scope)
    await socket.send_input({"type": "websocket.connect"})
    for frame in sent:
        await socket.send_input({"type": "websocket.receive", **frame})
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    async with asyncio.timeout(PATIENCE):
        await socket.future  # whatever was raised inside is raised here
    said = []
    while not socket.output_queue.empty():
        said.append(socket.output_queue.get_nowait())
    assert said[0]["type"] in ("websocket.accept", "websocket.close")
    for number, message in enumerate(said):
        assert (message["type"] == "websocket.accept") == (number == 0), said
        if message["type"] == "websocket.close":
            assert message.get("code", 1000) in (1000, 1011, 4001, 4003, 4008), said
            assert message is said[-1], said
    if path == "/ws/live-single-session/":
        for message in said[1:]:
            if message["type"] == "websocket.send":
                assert json.loads(message["text"])["type"] in ("session.ready", "session.ended")
            assert message.get("code") != 1011, said
    assert not company.secrets.found_in(repr(said), sent=offered)
    check_log(heard, company.secrets)
