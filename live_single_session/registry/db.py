"""The registry's database: the user's lock, its rows, its clock."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, OperationalError, connections, router, transaction
from django.db.models import DateTimeField, Q, Subquery, Value
from django.db.models.functions import Now as DatabaseNow
from django.db.models.lookups import IsNull
from django.utils import timezone

from live_single_session.exceptions import Busy
from live_single_session.models import Installation, UserSession, UserSessionQuerySet
from live_single_session.registry.compiled import Select, parameter

CHUNK = 500
INSTALLATION_PK = 1
LOCK_SECONDS = 10  # that a lock which others hold is waited for

# Always true. What asks for the time is cached neither by django-cachalot, which has to see
# Django's own class, nor by pgpool.
UNCACHED = IsNull(DatabaseNow(), False)


class Now(DatabaseNow):
    """The database's current time, in the time zone in which Django stores times.

    SQLite uses the clock of this machine, and always UTC. MariaDB and MySQL use the time
    zone of the server, which Django doesn't set.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return Value(timezone.now(), DateTimeField()).as_sql(compiler, connection)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        zone = connection.timezone or timezone.get_default_timezone()
        offset = f"{datetime.now(zone):%z}"
        template = f"CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', '{offset[:3]}:{offset[3:5]}')"
        return self.as_sql(compiler, connection, template=template)


@dataclass(frozen=True)
class Lock:
    """The lock of a user, as long as its transaction lasts.

    Attributes:
        user: the user as the database has it.
        now: the database's time.
        installation: the name of the installation, if it has one.
    """

    user: Any
    now: datetime
    installation: str | None


def database() -> str:
    """Return the alias of the database that the registry is written to and decided in."""
    return router.db_for_write(UserSession)


def place_of(using: str) -> list[str]:
    """Return what tells the database of an alias from others."""
    settings = connections[using].settings_dict
    return [str(settings.get(name) or "") for name in ("ENGINE", "HOST", "PORT", "NAME")]


def looks_in(using: str) -> bool:
    """Tell whether the registry looks users up in the database that this alias names."""
    return using == database() or place_of(using) == place_of(database())


@contextmanager
def locked_user(user_pk: Any, *, wait: bool = True) -> Iterator[Lock]:
    """Hold the lock of one user for one transaction.

    Raises:
        DoesNotExist: there is no such user; or others hold the lock, and this is not to
            ``wait`` for it.
        Busy: others have held it for too long.
    """
    with transaction.atomic(using=database()):
        users = _take_locks([user_pk], wait=wait)
        if not users:
            raise get_user_model().DoesNotExist
        yield Lock(users[0], users[0].registry_now, users[0].registry_installation)


@contextmanager
def locked(user_pks: Collection[Any], *, wait: bool = True) -> Iterator[datetime]:
    """Hold the locks of some users for one transaction; yield the database's time.

    Raises:
        DoesNotExist, Busy: see ``locked_user()``.
    """
    with transaction.atomic(using=database()):
        users = _take_locks(user_pks, wait=wait)
        if not users:
            raise get_user_model().DoesNotExist
        yield users[0].registry_now


def _take_locks(user_pks: Collection[Any], *, wait: bool) -> list[Any]:
    """Lock users and return them.

    The lock is the user's row. SQLite has no row locks: there a write comes first, which
    locks the database.
    """
    using = database()
    features = connections[using].features
    if not features.has_select_for_update:
        _write_something(using)
        return list(_users_with_facts(Q(pk__in=user_pks)))
    if not features.has_select_for_update_skip_locked:
        return list(_locking(Q(pk__in=user_pks)))
    found = _locked_at_once(user_pks)
    if len(found) == len(set(user_pks)) or not wait:
        return found
    with _bounded_wait(using):
        return list(_locking(Q(pk__in=user_pks)))


def _locked_at_once(user_pks: Collection[Any]) -> list[Any]:
    """Lock those users that nobody else has locked."""
    model, using = get_user_model(), database()
    connection = connections[using]
    if len(user_pks) != 1 or connection.vendor != "postgresql":
        return list(_locking(Q(pk__in=user_pks), skip_locked=True))
    [user_pk] = user_pks
    return _lock_of_one(model, using).fetch({"pk": user_pk})


@lru_cache(maxsize=64)
def _lock_of_one(model: Any, using: str) -> Select:
    match = Q(pk=parameter("pk", model._meta.pk))
    return Select.of(_locking(match, skip_locked=True))


def _locking(match: Q, *, skip_locked: bool = False) -> Any:
    no_key = connections[database()].features.has_select_for_no_key_update
    # In one order, so that two users who swap browsers can't deadlock.
    users = _users_with_facts(match).order_by("pk")
    return users.select_for_update(skip_locked=skip_locked, no_key=no_key)


def _users_with_facts(match: Q) -> Any:
    name = Installation.objects.filter(pk=INSTALLATION_PK).values("name")
    return (
        _users()
        .filter(match)
        .only(*_needed_fields())
        .annotate(registry_now=Now(), registry_installation=Subquery(name))
    )


def users_among(user_pks: Collection[Any]) -> Any:
    """Return users as the registry's database has them now, past any cache of queries."""
    return _users().filter(pk__in=user_pks)


def _users() -> Any:
    return get_user_model()._base_manager.using(database()).filter(UNCACHED)


def _needed_fields() -> list[str]:
    """Name what is read of a locked user: a sign-in has to look at the password again."""
    opts = get_user_model()._meta
    return ["pk", *(f.name for f in opts.concrete_fields if f.name == "password")]


def _write_something(using: str) -> None:
    try:
        rows().filter(pk=uuid.UUID(int=0)).update(slot="")
    except OperationalError as error:
        raise Busy from error


@contextmanager
def _bounded_wait(using: str) -> Iterator[None]:
    """Wait for the locks of others for a bounded time, by this connection's own setting."""
    if connections[using].vendor == "postgresql":
        read = "SHOW lock_timeout"
        write = "SELECT set_config('lock_timeout', %s, true)"  # for this transaction
        wanted: Any = f"{LOCK_SECONDS}s"
    else:
        read = "SELECT @@innodb_lock_wait_timeout"
        write = "SET SESSION innodb_lock_wait_timeout = %s"
        wanted = LOCK_SECONDS
    with connections[using].cursor() as cursor:
        cursor.execute(read)
        before = cursor.fetchone()[0]
        cursor.execute(write, [wanted])
        try:
            yield
        except OperationalError as error:
            raise Busy from error
        finally:
            with suppress(DatabaseError):  # a transaction that has failed is rolled back
                cursor.execute(write, [before])


def rows() -> UserSessionQuerySet:
    """Return all sessions, where they are written, and past any cache of queries."""
    return UserSession.objects.using(database()).filter(UNCACHED)


def on_commit(function: Any, *args: Any) -> None:
    """Call a function when the registry's transaction is committed; log what it raises."""

    # Not a ``partial``: Django logs the name of a hook that raises, and that has none.
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
