"""Fixtures: one site for real browsers, and visitors to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio

from tests.helpers.front import Front
from tests.helpers.visitor import Visitor
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases
from tests.servers.web_servers import SERVERS

NewVisitor = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
def daphne(
    site_databases: Callable[[str], SiteDatabases], pytestconfig: pytest.Config
) -> Iterator[Daphne]:
    """One site for all tests with a browser: the browsers are new, and that is enough.

    Another server serves it where `--server` says so.
    """
    databases = site_databases("sqlite")
    name = databases.create()
    daphne = SERVERS[pytestconfig.getoption("server")](
        env={"DATABASE_URL": databases.url(name)}
    )
    try:
        daphne.start()
        yield daphne
    finally:
        daphne.close()
        databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def front(daphne: Daphne) -> AsyncIterator[Front]:
    """What all browsers reach the site through."""
    front = Front(daphne.port)
    await front.open()
    logged = len(daphne.log)
    yield front
    await front.close()
    print(f"daphne printed:\n{daphne.log[logged:]}")


@pytest_asyncio.fixture(loop_scope="session")
async def new_visitor(new_browser_context: Callable, front: Front) -> NewVisitor:
    """`await new_visitor()`: somebody with a browser of their own, not signed in."""

    async def new(**options: object) -> Visitor:
        return Visitor(await new_browser_context(**options), front)

    return new


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(new_visitor: NewVisitor) -> Visitor:
    """Alice, signed in."""
    visitor = await new_visitor()
    await visitor.sign_in()
    return visitor


@pytest.fixture
def sign_in_elsewhere(new_visitor: NewVisitor) -> Callable[[], Awaitable[Visitor]]:
    """`await sign_in_elsewhere()`: Alice signs in with another browser."""

    async def sign_in() -> Visitor:
        other = await new_visitor()
        await other.sign_in()
        return other

    return sign_in
