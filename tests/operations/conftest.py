"""A site that moves from one deployment to the next."""

import secrets

import pytest

from tests.operations.moving.walk import Walk


@pytest.fixture
def walk(request, site_databases, tmp_path):
    databases = site_databases(getattr(request, "param", "postgres"))
    name = f"moving_{secrets.token_hex(4)}"
    databases._server.create_database(name)
    with Walk(databases.url(name), tmp_path) as walk:
        yield walk
    databases.drop(name)
