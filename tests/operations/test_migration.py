"""The ways of docs/migration.md, walked with the old packages installed and people signed in.

Nobody sees a 5xx: `Browser` looks at each answer.
"""

import pytest

from tests.operations.moving.walk import NEW, Walk
from tests.operations.pages import block, blocks, section
from tests.servers.daphne import Daphne

PAGE = "migration.md"
OLD = {"STAGE": "old"}
SINGLE = "From django-single-session"
PREVENT = "From django-preventconcurrentlogins"

# PostgreSQL and MariaDB enforce foreign keys at once or at the commit; so does SQLite.
DATABASES = ["postgres", "mariadb", "sqlite"]


@pytest.fixture(params=DATABASES)
def walk(request, site_databases, tmp_path):
    databases = site_databases(request.param)
    name = f"moving_{request.node.name.partition('[')[0][-20:]}"
    databases._server.create_database(name)
    with Walk(databases.url(name), tmp_path) as walk:
        yield walk
    databases.drop(name)


def tables(walk):
    code = "from django.db import connection\nprint(connection.introspection.table_names())\n"
    return walk.manage("shell", stdin=code, **NEW)


def follow(walk, heading, app):
    """Walk a section to its end, with people in each step."""
    loosen = block(PAGE, heading, "loosen.py")
    removal = block(PAGE, heading, "removal_settings.py")
    shell, migrate = blocks(section(PAGE, heading), "console")
    assert shell == "python manage.py shell < loosen.py\n"
    zero = migrate.split()[2:]
    assert zero[:3] == ["migrate", app, "zero"]

    walk.env["OLD"] = app
    walk.manage("migrate", "--verbosity=0", **OLD)
    walk.sign_up(30, **OLD)
    old = walk.start(**OLD)
    crowd = [walk.somebody(old) for _ in range(6)]

    walk.manage("shell", stdin=loosen, **OLD)
    walk.everything_works(old, crowd.pop())
    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.everything_works(old, crowd.pop())
    new = walk.start(Daphne, **NEW)
    walk.everything_works(new, crowd.pop())
    walk.everything_works(old, crowd.pop())
    old.stop()
    walk.everything_works(new, crowd.pop())

    (walk.folder / "mysite").mkdir()
    (walk.folder / "mysite" / "settings.py").write_text(
        "from tests.operations.moving.settings import *\n"
    )
    walk.write(removal)
    assert f"'{app}_" in tables(walk)
    walk.manage(*zero, **NEW)
    assert f"'{app}_" not in tables(walk)
    walk.everything_works(new, crowd.pop())


def test_from_django_single_session(walk):
    follow(walk, SINGLE, "single_session")


def test_from_django_preventconcurrentlogins(walk):
    follow(walk, PREVENT, "preventconcurrentlogins")
