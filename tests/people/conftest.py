"""Fixtures: a site without a limit, and Alice in as many browsers as she likes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import pytest_asyncio

from tests.browser.front import Front
from tests.browser.visitor import Visitor
from tests.servers.daphne import Daphne
from tests.servers.databases import SiteDatabases

SETTINGS = {"LIMIT": None, "NOT_YOU_URL": "/accounts/login/?reset"}


@pytest.fixture(scope="session")
def site_without_limit(site_databases: Callable[[str], SiteDatabases]) -> Iterator[Daphne]:
    """A site whose users may be signed in as often as they like."""
    databases = site_databases("sqlite")
    name = databases.create()
    daphne = Daphne(env={"DATABASE_URL": databases.url(name), "LIVE_SINGLE_SESSION": SETTINGS})
    try:
        daphne.start()
        yield daphne
    finally:
        daphne.close()
        databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def front(site_without_limit: Daphne) -> AsyncIterator[Front]:
    front = Front(site_without_limit.port)
    await front.open()
    logged = len(site_without_limit.log)
    yield front
    await front.close()
    print(f"daphne printed:\n{site_without_limit.log[logged:]}")


@pytest_asyncio.fixture(loop_scope="session")
async def new_visitor(
    new_browser_context: Callable, front: Front
) -> Callable[..., Awaitable[Visitor]]:
    """`await new_visitor()`: Alice, signed in, with a browser of her own."""

    async def new(**options: object) -> Visitor:
        visitor = Visitor(await new_browser_context(**options), front)
        await visitor.sign_in()
        return visitor

    return new
