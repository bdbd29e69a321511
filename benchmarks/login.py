"""What a sign-in costs, with few and with many sessions of others in the tables."""

import json
import time
from contextlib import ExitStack
from typing import Any

import psycopg

from benchmarks.measure import Servers, Site, load, ratios, shuffled, spread
from tests.helpers.http_client import HttpClient
from tests.site.people import PASSWORD

VARIANTS = ("none", "ours", "preventconcurrent", "single_session", "usersessions")

# Sessions of others: some ten for each user, and one of them live where that is recorded.
USERS = """
    INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email,
                           is_staff, is_active, date_joined)
    SELECT 'other' || n, 'x', false, '', '', '', false, true, now()
    FROM generate_series({first}, {last}) n
"""
SESSIONS = """
    INSERT INTO django_session (session_key, session_data, expire_date)
    SELECT md5(n::text), repeat('x', 200), now() + interval '7 days'
    FROM generate_series({first}, {last}) n
"""
OWN = {
    "ours": """
        INSERT INTO live_single_session_usersession
            (id, user_id, slot, kind, session_key, key_digest, serial, ip, user_agent, device,
             started_at, expires_at, ends_by, ended_at, end_reason)
        SELECT gen_random_uuid(), u.id, '', 'session',
               CASE WHEN k = 9 THEN md5((u.n * 10 + k)::text) ELSE '' END,
               md5('a' || (u.n * 10 + k)) || md5('b' || (u.n * 10 + k)), k, '127.0.0.1',
               'Mozilla/5.0', '', now(), now() + interval '7 days', '',
               CASE WHEN k = 9 THEN NULL ELSE now() END,
               CASE WHEN k = 9 THEN '' ELSE 'superseded' END
        FROM (SELECT id, substr(username, 6)::bigint AS n FROM auth_user
              WHERE username LIKE 'other%') u, generate_series(0, 9) k
        WHERE u.n BETWEEN {first} / 10 AND {last} / 10
    """,
    "preventconcurrent": """
        INSERT INTO preventconcurrentlogins_visitor (user_id, session_key)
        SELECT id, md5(username) FROM auth_user
        WHERE username LIKE 'other%' AND substr(username, 6)::bigint
              BETWEEN {first} / 10 AND {last} / 10
    """,
    "single_session": """
        INSERT INTO single_session_usersession (session_id, user_id)
        SELECT md5((u.n * 10 + k)::text), u.id
        FROM (SELECT id, substr(username, 6)::bigint AS n FROM auth_user
              WHERE username LIKE 'other%') u, generate_series(0, 9) k
        WHERE u.n BETWEEN {first} / 10 AND {last} / 10
          AND u.n * 10 + k BETWEEN {first} AND {last}
    """,
    "usersessions": """
        INSERT INTO usersessions_usersession
            (user_id, created_at, ip, last_seen_at, session_key, user_agent, data)
        SELECT u.id, now(), '127.0.0.1', now(), md5((u.n * 10 + k)::text), 'Mozilla', '{{}}'
        FROM (SELECT id, substr(username, 6)::bigint AS n FROM auth_user
              WHERE username LIKE 'other%') u, generate_series(0, 9) k
        WHERE u.n BETWEEN {first} / 10 AND {last} / 10
    """,
}


async def run(crowds: tuple[int, ...], logins: int) -> dict[str, Any]:
    with ExitStack() as stack:
        servers = Servers(stack)
        sites = _started(servers, VARIANTS)
        found, have = {"where": _where(sites)}, 0
        for crowd in crowds:
            if crowd > have:
                for site in sites.values():
                    _fill(site, have, crowd)
            have = crowd
            found[str(crowd)] = await _measure(sites, logins)
        found["hashed"] = await _with_default_hasher(servers, logins // 3 + 1)
        return found


async def _with_default_hasher(servers: Servers, logins: int) -> dict[str, Any]:
    """As most sites have it: a password takes much longer than all the rest."""
    return await _measure(_started(servers, ("none", "ours"), BENCH_HASHERS="django"), logins)


def _started(servers: Servers, variants: tuple[str, ...], **settings: str) -> dict[str, Site]:
    """Sites with one user each."""
    sites = {variant: servers.site(variant, **settings) for variant in variants}
    for site in sites.values():
        site.fill(1)
        site.start()
    return sites


def _where(sites: dict[str, Site]) -> dict[str, Any]:
    body = json.dumps({"username": "user0", "password": PASSWORD})
    return {
        variant: json.loads(sites[variant].run("benchmarks.site.where", "/login/", body, 200))
        for variant in ("none", "ours", "single_session")
        if variant in sites
    }


def _fill(site: Site, have: int, crowd: int) -> None:
    url = str(site.daphne.environment()["DATABASE_URL"]).replace("postgres://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        sessions = {"first": have, "last": crowd - 1}
        users = {"first": have // 10, "last": crowd // 10 - 1}
        connection.execute(USERS.format(**users))  # type: ignore[arg-type]
        connection.execute(SESSIONS.format(**sessions))  # type: ignore[arg-type]
        if site.variant in OWN:
            connection.execute(OWN[site.variant].format(**sessions))  # type: ignore[arg-type]
        connection.execute("VACUUM ANALYZE")


async def _measure(sites: dict[str, Site], logins: int) -> dict[str, Any]:
    taken: dict[str, list[float]] = {variant: [] for variant in sites}
    computed: dict[str, float] = dict.fromkeys(sites, 0.0)
    body = {"username": "user0", "password": PASSWORD}
    for number in range(logins + 3):
        for variant in shuffled(sites):
            client, before = HttpClient(), sites[variant].cpu_seconds
            began = time.perf_counter()
            answer = await client.post(sites[variant].port, "/login/", body)
            took = time.perf_counter() - began
            assert answer.status == 200, sites[variant].daphne.log[-3000:]
            if variant == "preventconcurrent":  # it ends the old one at the next request only
                await client.get(sites[variant].port, "/private/")
            client.close()
            if number >= 3:
                taken[variant].append(1000 * took)
                computed[variant] += sites[variant].cpu_seconds - before
    queries = {
        variant: site.run(
            "benchmarks.site.count",
            "/login/",
            json.dumps(body),
        ).split()[0]
        for variant, site in sites.items()
    }
    return {
        "load": load(),
        "variants": {
            variant: {
                "ms": spread(values),
                "cpu ms": 1000 * computed[variant] / logins,
                "ratio": ratios(values, taken["none"]),
                "queries": int(queries[variant]),
            }
            for variant, values in taken.items()
        },
    }
