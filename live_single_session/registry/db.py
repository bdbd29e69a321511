"""The table of sessions, and the lock under which a user's rows are changed."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, router, transaction
from django.db.models import DateTimeField, Value
from django.db.models.functions import Now as DatabaseNow
from django.utils import timezone

from live_single_session.models import (
    UserSession,
    UserSessionQuerySet,
)

CHUNK = 500


class Now(DatabaseNow):
    """The database's time, in the zone in which Django stores times there.

    SQLite runs in this process and has its clock, but tells UTC wherever that is. MariaDB
    and MySQL tell the zone of the server, which Django doesn't set.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return Value(timezone.now(), DateTimeField()).as_sql(compiler, connection)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        zone = connection.timezone or timezone.get_default_timezone()
        offset = f"{datetime.now(zone):%z}"
        template = f"CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', '{offset[:3]}:{offset[3:5]}')"
        return self.as_sql(compiler, connection, template=template)


def database() -> str:
    """Return the alias of the database that the registry is written to and decided in."""
    return router.db_for_write(UserSession)


def looks_in(using: str) -> bool:
    """Tell whether the registry looks users up in the database that this alias names."""
    return using == database() or _place(using) == _place(database())


@contextmanager
def locked(user_pks: Collection[Any], *, wait: bool = True) -> Iterator[datetime]:
    """Hold the locks of some users for one transaction; yield the database's time.

    The lock is the user's row. SQLite has no row locks: there a write comes first, which
    takes the database's.

    Raises:
        DoesNotExist: there are no such users; or others hold their locks, and this is not
            to ``wait`` for them.
    """
    using = database()
    with transaction.atomic(using=using):
        features = connections[using].features
        users = get_user_model()._base_manager.using(using).filter(pk__in=user_pks)
        if features.has_select_for_update:
            # In one order, so that two users who swap browsers can't deadlock.
            users = users.order_by("pk").select_for_update(
                no_key=features.has_select_for_no_key_update,
                skip_locked=not wait and features.has_select_for_update_skip_locked,
            )
        else:
            rows().filter(pk=uuid.UUID(int=0)).update(slot="")
        times = list(users.values_list(Now(), flat=True))
        if not times:
            raise get_user_model().DoesNotExist
        yield times[0]


def rows() -> UserSessionQuerySet:
    """Return all sessions, where they are written."""
    return UserSession.objects.using(database())


def for_update(rows: UserSessionQuerySet) -> UserSessionQuerySet:
    """Read what is committed rather than a snapshot, under stricter isolation as well.

    Not on MariaDB and MySQL: there, a locking read that goes by several indexes deadlocks
    with the logins of other users (tried: it does). The user's lock suffices.
    """
    connection = connections[database()]
    features = connection.features
    if not features.has_select_for_update or connection.vendor == "mysql":
        return rows
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)


def on_commit(function: Any, *args: Any) -> None:
    """Call a function once the registry's transaction is committed; it may fail."""

    # Not a ``partial``: Django names a hook that raises, and fails if that has no name.
    @wraps(function)
    def hook() -> None:
        function(*args)

    transaction.on_commit(hook, using=database(), robust=True)


def chunks(values: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    """Return ids in lists that fit into one query."""
    ordered = list(values)
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]


def batches(rows: UserSessionQuerySet) -> Iterator[list[tuple[uuid.UUID, Any]]]:
    """Return the ids of rows and of their users, some hundreds at a time."""
    ordered = rows.using(database()).order_by("pk").values_list("pk", "user_id")
    batch = list(ordered[:CHUNK])
    while batch:
        yield batch
        batch = list(ordered.filter(pk__gt=batch[-1][0])[:CHUNK])


def _place(using: str) -> list[str]:
    settings = connections[using].settings_dict
    return [str(settings.get(name) or "") for name in ("ENGINE", "HOST", "PORT", "NAME")]
