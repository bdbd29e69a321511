"""docs/roll-out.md, walked with people signed in: in, switched on, out, and in again.

Nobody sees a 5xx: `Browser` looks at each answer.
"""

import json

import pytest

from tests.operations.moving.walk import NEW, Browser
from tests.operations.pages import block, blocks, section
from tests.servers.daphne import Daphne

PAGE = "roll-out.md"
OUT = "Take it out"
OLD = {"STAGE": "old"}
OBSERVE = {"LIVE_SINGLE_SESSION": '{"ON_LIMIT": "observe", "ACTIVITY_SECONDS": 600}'}


def without_the_package(walk):
    """A site that runs without it, with people signed in."""
    walk.manage("migrate", "--verbosity=0", **OLD)
    walk.sign_up(60, **OLD)
    return walk.start(**OLD)


def with_the_package(walk):
    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.sign_up(60, **OLD)
    return walk.start(Daphne, **NEW)


def use_without_a_limit(site, people):
    """What people do where a second sign-in ends nothing, as without the package."""
    moves, leaves, changes, goes = [person.at(site) for person in people]
    for person in people:
        assert person.is_signed_in
    assert Browser(site, moves.name).sign_in().is_signed_in
    assert moves.is_signed_in
    leaves.sign_out()
    leaves.sign_in()
    changes.change_password()
    assert goes.ask("POST", "/delete-me/").status_code == 200
    assert not goes.is_signed_in


def test_in_observed_and_switched_on(walk):
    old = without_the_package(walk)
    crowd = [walk.somebody(old) for _ in range(4)]
    for command in blocks(section(PAGE, "Deploy it"), "console")[0].splitlines():
        walk.manage(*command.split()[2:], **NEW, **OBSERVE)
    new = walk.start(Daphne, **NEW, **OBSERVE)
    use_without_a_limit(old, crowd.pop())
    use_without_a_limit(new, crowd.pop())
    use_without_a_limit(old, crowd.pop())
    old.stop()

    twice = walk.browser(new).sign_in()
    second = Browser(new, twice.name).sign_in()
    command = blocks(section(PAGE, "Deploy it"), "console")[1].split()[2:]
    said = walk.manage(*command, "--json", **NEW, **OBSERVE)
    summary = json.loads(said.splitlines()[-1])
    assert summary["interrupted_per_day"]["1"] >= 1
    assert summary["interrupted_per_day"]["3"] == 0
    assert twice.is_signed_in

    new.stop()
    on = walk.start(Daphne, **NEW)
    assert twice.at(on).is_signed_in
    assert second.at(on).is_signed_in
    for line in blocks(section(PAGE, "Deploy it"), "console")[2].splitlines():
        said = walk.manage(*line.split()[2:], **NEW)
    assert "Sessions ended" in said
    assert not twice.is_signed_in
    assert second.is_signed_in
    walk.everything_works(on, crowd.pop())


def test_deployed_before_migrate_it_works_as_without_the_package(walk):
    old = without_the_package(walk)
    crowd = [walk.somebody(old) for _ in range(4)]
    new = walk.start(Daphne, **NEW)
    use_without_a_limit(new, crowd.pop())
    use_without_a_limit(old, crowd.pop())
    answer = crowd[0][0].at(new).ask("GET", "/session/status/")
    assert answer.status_code in (200, 401)
    assert "migrate" in new.log

    walk.manage("migrate", "--verbosity=0", **NEW)
    walk.everything_works(new, crowd.pop())
    assert all(person.at(new).is_signed_in for person in crowd.pop())


@pytest.mark.parametrize("walk", ["postgres", "mariadb", "sqlite"], indirect=True)
def test_out_without_downtime_and_in_again(walk):
    site = with_the_package(walk)
    crowd = [walk.somebody(site) for _ in range(6)]
    keep = walk.browser(site).sign_in()
    (migrate,) = blocks(section(PAGE, OUT), "console")

    walk.everything_works(site, crowd.pop())
    without = walk.start(**OLD)
    use_without_a_limit(without, crowd.pop())
    walk.everything_works(site, crowd.pop())
    site.stop()
    use_without_a_limit(without, crowd.pop())

    (walk.folder / "mysite").mkdir()
    (walk.folder / "mysite" / "settings.py").write_text(
        "from tests.operations.moving.settings import *\n"
    )
    walk.write(block(PAGE, OUT, "removal_settings.py"))
    walk.manage(*migrate.split()[2:], **OLD)
    assert "live_single_session" not in tables(walk)
    use_without_a_limit(without, crowd.pop())
    assert keep.at(without).is_signed_in

    walk.manage("migrate", "--verbosity=0", **NEW)
    again = walk.start(Daphne, **NEW)
    assert keep.at(again).is_signed_in
    status = keep.ask("GET", "/session/status/")
    assert status.json()["live"] is True
    walk.everything_works(again, crowd.pop())
    newer = Browser(again, keep.name).sign_in()
    assert newer.is_signed_in
    assert keep.ask("GET", "/session/status/").json()["code"] == "session_ended"
    assert not keep.is_signed_in


def tables(walk):
    code = "from django.db import connection\nprint(connection.introspection.table_names())\n"
    return walk.manage("shell", stdin=code, **OLD)
