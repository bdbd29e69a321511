"""Fixtures: real servers that start when a test first asks for them, and the test site.

Tests with a browser run on one event loop for the whole session, as the browser does; an
async fixture of such a test must say `pytest_asyncio.fixture(loop_scope="session")`.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import SyncToAsync
from channels.layers import channel_layers
from django.core.signals import got_request_exception
from django.db import connections
from django.views.debug import ExceptionReporter
from hypothesis import settings as hypothesis_settings
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.servers.chromium import launch_chromium
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import running
from tests.servers.redis import RedisServer
from tests.servers.sqlite import SqliteFiles
from tests.servers.waiting import PATIENCE
from tests.servers.web_servers import SERVERS
from tests.site.gate import Gate
from tests.site.people import PASSWORD

# A busy machine is no reason to fail.
expect.set_options(timeout=PATIENCE * 1000)
hypothesis_settings.register_profile("suite", deadline=None)
hypothesis_settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=SERVERS,
        default="daphne",
        help="what serves the site to the tests of the script in tests/browser",
    )

    parser.addoption(
        "--containers",
        action="store_true",
        help="the two nodes of tests/deployment are docker-compose.yml's (make compose)",
    )


# Fixtures that start a server, a browser or a build.
SLOW = {
    *("browser", "daphne", "firefox", "start_daphne", "site_databases"),
    *("redis_server", "postgres_server", "mariadb_server"),
    *("built", "image", "running_topology"),
}


# Files go to a worker as a whole: if one of these came last, one worker would end long after
# the others.
LONGEST = (
    *("backends/test_variants", "packaging/test_package", "deployment/test_two_nodes"),
    *("chaos/test_chaos", "backends/test_concurrency", "compatibility/test_other_packages"),
    *("benchmarks/test_bench", "fuzz/test_schema", "browser/test_networks"),
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & SLOW:
            item.add_marker("slow")
        if "browser" in fixtures:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    yield
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    file = item.nodeid.removeprefix("tests/").partition(".py")[0]
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Async tests reach the database in a thread that lives on, and so does its connection."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


# The test site, in this process


@pytest.fixture
def alice(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("alice", "alice@example.com", PASSWORD)


@pytest.fixture
def bob(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("bob", "bob@example.com", PASSWORD)


@pytest.fixture
def carol(db: None, django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("carol", "carol@example.com", PASSWORD)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Any]]]:
    """What the package's signals say, in order: ("started", session), ("ended", session)."""
    from live_single_session.signals import session_ended, session_started

    said: list[tuple[str, Any]] = []

    def hear_start(session: Any, **kwargs: Any) -> None:
        said.append(("started", session))

    def hear_end(session: Any, **kwargs: Any) -> None:
        said.append(("ended", session))

    session_started.connect(hear_start)
    session_ended.connect(hear_end)
    yield said
    session_started.disconnect(hear_start)
    session_ended.disconnect(hear_end)


@pytest.fixture(autouse=True)
def _own_channel_layer() -> Iterator[None]:
    """The in-memory layer remembers its groups: each test has a layer of its own."""
    yield
    channel_layers.backends.clear()


# Its policy, two devices, and what was refused


@pytest.fixture
def policy(settings: Any) -> Callable[..., None]:
    """`policy(ON_LIMIT="refuse")`: the site's settings from now on."""

    def set_policy(**values: object) -> None:
        settings.LIVE_SINGLE_SESSION = values

    return set_policy


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`after(seconds)`: so much later, as the sessions of a test see it."""
    from tests.helpers.passing_time import PassingTime

    return PassingTime(monkeypatch)


@pytest.fixture
def laptop() -> Any:
    from tests.helpers.browsers import FIREFOX, Browser

    return Browser(headers={"User-Agent": FIREFOX})


@pytest.fixture
def phone() -> Any:
    from tests.helpers.browsers import SAFARI, Browser

    return Browser(headers={"User-Agent": SAFARI})


@pytest.fixture
def refused() -> Iterator[list[dict[str, Any]]]:
    """What `login_refused` has said."""
    from live_single_session.signals import login_refused

    said: list[dict[str, Any]] = []

    def hear(signal: Any, sender: Any, **facts: Any) -> None:
        said.append(facts)

    login_refused.connect(hear)
    yield said
    login_refused.disconnect(hear)


# Servers, one of each for the whole session


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """The Redis of the session: running and empty, whatever an earlier test did to it."""
    redis_server.renew()
    return redis_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    with running(MariaDBServer()) as server:
        yield server


# The test site, live


@pytest.fixture(scope="session")
def site_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], SiteDatabases]:
    """The databases of one kind, whose server starts when it is first asked for."""
    made = {}

    def databases(kind: str) -> SiteDatabases:
        if kind not in made:
            server = (
                SqliteFiles(tmp_path_factory.mktemp("sqlite"))
                if kind == "sqlite"
                else request.getfixturevalue(f"{kind}_server")
            )
            made[kind] = SiteDatabases(server)
        return made[kind]

    return databases


@pytest.fixture
def site_database(
    site_databases: Callable[[str], SiteDatabases],
) -> Iterator[Callable[[str], str]]:
    """`site_database("sqlite" | "postgres" | "mariadb")`: the URL of a database of its own.

    It has the site's tables and the users of `tests.site.people`.
    """
    with ExitStack() as stack:

        def create(kind: str) -> str:
            databases = site_databases(kind)
            name = databases.create()
            stack.callback(databases.drop, name)
            return databases.url(name)

        yield create


@pytest.fixture
def start_daphne() -> Iterator[Callable[..., Daphne]]:
    """`start_daphne(**env)`: a process that serves the test site, until the test ends.

    What it printed is shown if the test fails.
    """
    with ExitStack() as stack:

        def start(application: str = "tests.asgi:application", **env: object) -> Daphne:
            daphne = Daphne(application, env)
            stack.callback(daphne.close)
            daphne.start()
            stack.callback(lambda: print(f"{daphne.url} printed:\n{daphne.log}"))
            return daphne

        yield start


@pytest.fixture
def gate(tmp_path: Path, settings: object) -> Gate:
    """Holds `/slow/`. A daphne has to be told: `GATE_DIRECTORY=str(gate.directory)`.

    More gates: `Gate(gate.directory, "other")`, passed with `/slow/?gate=other`.
    """
    directory = tmp_path / "gates"
    directory.mkdir()
    settings.GATE_DIRECTORY = str(directory)
    return Gate(directory)


# The browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await launch_chromium(playwright)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_browser_context(
    browser: Browser,
) -> AsyncIterator[Callable[..., Awaitable[BrowserContext]]]:
    """`await new_browser_context()`: somebody's browser, with cookies of its own."""
    async with AsyncExitStack() as stack:

        async def new(**options: object) -> BrowserContext:
            context = await browser.new_context(**options)
            context.set_default_timeout(4 * PATIENCE * 1000)  # to load a page, or to click
            stack.push_async_callback(context.close)
            return context

        yield new


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """What is mailed to a site's admins of errors in its views."""
    made = []

    def report(request, **kwargs) -> None:
        made.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    got_request_exception.connect(report)
    yield made
    got_request_exception.disconnect(report)
