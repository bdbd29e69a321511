"""Looks at the plan of each query that the package makes, in large tables of PostgreSQL.

`python -m tests.registry.plans SESSIONS`, on the database of DATABASE_URL, which has the test
site's users. It fills the tables with so many sessions of each user, and very many of one; lets
that user do everything; and prints the queries that scan a large table, or read many rows for
nothing. The exit status says whether there were any.
"""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.db import connection

USERS, OF_ALICE = 20_000, 130_000
MOST_ROWS_FOR_NOTHING = 1_000
LARGE = {"auth_user", "django_session", "live_single_session_usersession"}

FILL = """
    INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email,
                           is_staff, is_active, date_joined)
    SELECT 'other' || n, 'x', false, '', '', '', false, true, now()
    FROM generate_series(1, {users}) n;

    INSERT INTO live_single_session_usersession
        (id, user_id, slot, kind, session_key, key_digest, serial, user_agent, device,
         started_at, expires_at, ends_by, ended_at, end_reason, announced_at)
    SELECT gen_random_uuid(), own.id, '', 'session',
           CASE WHEN k = 0 THEN md5(own.id || 'k') ELSE '' END,
           md5(own.id || 'a' || k) || md5(own.id || 'b' || k), k, '', '', now(),
           now() + interval '7 days', '', CASE WHEN k = 0 THEN NULL ELSE now() END,
           CASE WHEN k = 0 THEN '' ELSE 'superseded' END,
           CASE WHEN k = 0 THEN NULL ELSE now() END
    FROM auth_user own, generate_series(0, {sessions} - 1) k
    WHERE own.username LIKE 'other%';

    INSERT INTO live_single_session_usersession
        (id, user_id, slot, kind, session_key, key_digest, serial, user_agent, device,
         started_at, expires_at, ends_by, ended_at, end_reason, announced_at)
    SELECT gen_random_uuid(), own.id, '', 'session', '',
           md5('c' || k) || md5('d' || k), k, '', '', now(),
           now() + interval '7 days', '', now(), 'superseded', now()
    FROM auth_user own, generate_series(1, {of_alice}) k
    WHERE own.username = 'alice';

    INSERT INTO django_session (session_key, session_data, expire_date)
    SELECT md5(id || CASE k WHEN 0 THEN 'k' ELSE 'x' || k END), repeat('x', 200),
           now() + interval '7 days'
    FROM auth_user, generate_series(0, 9) k;
"""


def fill(sessions: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(sessions=sessions, users=USERS, of_alice=OF_ALICE))
        cursor.execute("ANALYZE")


def nodes_of(plan: dict) -> Iterator[dict]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)


def reads_much(node: dict, what: str) -> bool:
    if node["Node Type"] == "Seq Scan":
        return True
    if what in COMMANDS:  # they look at all live sessions
        return False
    return node.get("Rows Removed by Filter", 0) > MOST_ROWS_FOR_NOTHING


@contextmanager
def looking(scans: dict[str, list[str]], what: str) -> Iterator[None]:
    """Explain each query before it is made; note those that scan a large table."""

    def explain(execute, sql, params, many, context):
        verb = str(sql).lstrip("( ").split()[0]
        if verb in ("SELECT", "UPDATE", "DELETE", "INSERT"):
            run = "ANALYZE, " if verb == "SELECT" else ""
            with context["cursor"].connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN ({run}FORMAT JSON) {sql}", params)
                found = cursor.fetchone()[0]
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            for node in nodes_of(plan):
                if node.get("Relation Name") in LARGE and reads_much(node, what):
                    scans.setdefault(what, []).append(f"{node['Relation Name']}: {sql}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield


def look(sessions: int) -> dict[str, list[str]]:
    scans: dict[str, list[str]] = {}
    for what, act in actions():
        if what in COMMANDS and sessions < MANY:
            continue
        with looking(scans, what):
            act()
        print(f"looked at: {what}")
    return scans


def actions():
    """Everything that asks the registry, by name, in an order that works."""
    alice = User.objects.get(username="alice")
    laptop, phone, bobs = Browser(), Browser(), Browser()
    laptop.sign_in()
    bobs.sign_in("bob")
    yield "a sign-in that ends an older one", phone.sign_in
    yield "a page of a dead cookie", lambda: laptop.get("/whoami/")
    yield "a page", lambda: phone.get("/whoami/")
    yield "a rotation", lambda: phone.get("/rotate/")
    yield "status", lambda: phone.get("/session/status/")
    yield "the sessions page", lambda: bobs.get("/session/", headers=PAGE)
    live = list(UserSession.objects.live()[:100].values_list("pk", flat=True))
    yield "a re-check", lambda: ending.ended_among(live)
    yield "a re-check of the engine", lambda: missing.end_removed(live)
    yield "sessions that expired", lambda: maintenance.expire(db.rows().filter(pk__in=live))
    yield "unfinished ends", lambda: cleanup.finish(db.rows().of(alice))
    yield "unannounced ends", lambda: cleanup.announce_untold(db.rows().of(alice))
    for command in COMMANDS:
        yield command, lambda command=command: run(*command.split())
    yield "end all of a user", lambda: registry.end_all(alice, EndReason.REVOKED_BY_STAFF)
    yield "a changed password", lambda: change_password(alice)
    yield "a sign-out", phone.sign_out


# Without finish_ended_sessions: it reads the whole table once, since an index for it alone
# would cost each sign-in something. Where most rows are live, it is right to read them all.
COMMANDS = [
    "list_sessions --user alice",
    "end_sessions --user alice --no-input",
    "prune_sessions",
]
MANY = 10


def run(*command: str) -> None:
    call_command(*command, stdout=io.StringIO(), stderr=io.StringIO())


def change_password(user) -> None:
    user.set_password("changed")
    user.save()


def main(sessions: int) -> None:
    fill(sessions)
    scans = look(sessions)
    for what, queries in scans.items():
        for query in queries:
            print(f"{what}: scans {query}")
    sys.exit(bool(scans))


django.setup()

from django.contrib.auth.models import User  # noqa: E402 - they need the apps
from django.core.management import call_command  # noqa: E402

from live_single_session import registry  # noqa: E402
from live_single_session.models import EndReason, UserSession  # noqa: E402
from live_single_session.registry import cleanup, db, ending, maintenance, missing  # noqa: E402
from tests.helpers.browsers import PAGE, Browser  # noqa: E402

if __name__ == "__main__":
    main(int(sys.argv[1]))
