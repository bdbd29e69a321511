"""SQL by hand, where the ORM can't say it, or building a query costs more than running it.

All names in it are Django's own, all values are parameters.
"""

from datetime import timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import UserSession, as_uuid, digest
from live_single_session.registry import db, time_limits


@sensitive_variables()
def session_with_live_id(model: Any, session_key: str | None) -> tuple[str, UUID | None] | None:
    """Load an unexpired session, with the live row of the registry whose current key it has.

    Args:
        model: the model of session rows, in the registry's database.
        session_key: the key.

    Returns:
        the encoded data and the row's id, None where there is no such row; None where there
        is no such session.
    """
    connection = connections[db.database()]
    expiry = model._meta.get_field("expire_date")
    now = expiry.get_db_prep_value(timezone.now(), connection)
    registry = connection.ops.quote_name(UserSession._meta.db_table)
    in_time, limits = time_limits.sql(registry, connection.ops.quote_name, connection)
    with connection.cursor() as cursor:
        sql = _session_with_live_id(model, db.database(), in_time)
        cursor.execute(sql, [digest(session_key or ""), *limits, session_key, now])
        found = cursor.fetchone()
    return None if found is None else (found[0], as_uuid(found[1]))


@lru_cache(maxsize=64)
def _session_with_live_id(model: Any, using: str, in_time: str) -> str:
    session, registry = model._meta, UserSession._meta
    quote = connections[using].ops.quote_name

    def column(opts: Any, field: str) -> str:
        return f"{quote(opts.db_table)}.{quote(opts.get_field(field).column)}"

    return (
        f"SELECT {column(session, 'session_data')}, "
        f"(SELECT {column(registry, 'id')} FROM {quote(registry.db_table)} "
        f"WHERE {column(registry, 'key_digest')} = %s "
        f"AND {column(registry, 'ended_at')} IS NULL{in_time}) "
        f"FROM {quote(session.db_table)} "
        f"WHERE {column(session, 'session_key')} = %s "
        f"AND {column(session, 'expire_date')} > %s"
    )


@sensitive_variables()
def delete_free_sessions(model: Any, session_keys: set[str], connection: Any) -> set[str]:
    """Delete session rows of PostgreSQL that nobody else is writing to.

    Returns:
        the keys of those that are gone now.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    key = connection.ops.quote_name(model._meta.pk.column)
    free = f"SELECT {key} FROM {table} WHERE {key} = ANY(%s) FOR UPDATE SKIP LOCKED"
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE {key} = ANY(ARRAY({free})) RETURNING {key}",
            [list(session_keys)],
        )
        left = session_keys - {row[0] for row in cursor.fetchall()}
        if left:
            cursor.execute(f"SELECT {key} FROM {table} WHERE {key} = ANY(%s)", [list(left)])
            left = {row[0] for row in cursor.fetchall()}
    return session_keys - left


def prolong(
    session_id: UUID, idle: float, lifetime: float | None, activity: float, warning: float
) -> float | None:
    """Record that a session of PostgreSQL's is in use, and when it ends by that.

    Args:
        session_id: which one.
        idle: for how many seconds it goes on without use.
        lifetime: how many seconds after its sign-in it ends in any case; None: never.
        activity: a record that is newer than so many seconds is left as it is.
        warning: a session that ends within so many seconds is left as it is: its tabs know.

    Returns:
        in how many seconds it ends; None if there was nothing to do here.
    """
    connection = connections[db.database()]
    values: dict[str, Any] = {
        "id": session_id,
        "idle": timedelta(seconds=idle),
        "lifetime": None if lifetime is None else timedelta(seconds=lifetime),
        "activity": timedelta(seconds=activity),
        "warning": timedelta(seconds=warning),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PROLONG.format(connection.ops.quote_name(_REGISTRY.db_table)), values)
        found = cursor.fetchone()
    return None if found is None else float(found[0])


_REGISTRY = UserSession._meta
_PROLONG = """
    UPDATE {} SET last_seen_at = STATEMENT_TIMESTAMP(),
        ends_at = LEAST(STATEMENT_TIMESTAMP() + %(idle)s, started_at + %(lifetime)s::interval),
        ends_by = CASE
            WHEN started_at + %(lifetime)s::interval < STATEMENT_TIMESTAMP() + %(idle)s
            THEN 'lifetime' ELSE 'idle' END
    WHERE id = %(id)s AND ended_at IS NULL
        AND ends_at > STATEMENT_TIMESTAMP() + %(warning)s
        AND last_seen_at <= STATEMENT_TIMESTAMP() - %(activity)s
    RETURNING EXTRACT(EPOCH FROM ends_at - STATEMENT_TIMESTAMP())
"""
