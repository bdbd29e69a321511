"""Whether the registry's tables are there, and the name of the installation they belong to.

The name is kept with each session's id, so that a session of another installation is known
by it: of one that was here before, or of another tenant or site over the same store.
"""

import hashlib
import logging
import time
from collections.abc import Hashable

from django.db import IntegrityError, connections, transaction
from django.utils.crypto import get_random_string

from live_single_session.models import Installation, UserSession
from live_single_session.registry import db

logger = logging.getLogger("live_single_session")

LOOK_AGAIN_SECONDS = 1.0  # for tables that were not there

_there: dict[Hashable, bool] = {}
_missing_since: dict[Hashable, float] = {}
_names: dict[Hashable, str] = {}


def is_installed() -> bool:
    """Tell whether the tables are there: the code may be deployed before ``migrate``.

    It takes a query once for each connection and schema in a process.
    """
    here = _here()
    return here in _there or _look(here)


def name_here() -> str:
    """Return the name of this installation, as this process knows it."""
    return known_name() or refreshed()


def known_name() -> str | None:
    """Return the name of this installation if this process knows it already; without I/O."""
    return _names.get(_here())


def refreshed() -> str:
    """Return the name of this installation as its table has it now."""
    found = Installation.objects.using(db.database()).filter(pk=db.INSTALLATION_PK).first()
    return note(found.name if found else None)


def note(found: str | None) -> str:
    """Take note of the name that the table has; where it has none, make one."""
    name = found or _make()
    _names[_here()], _there[_here()] = name, True
    return name


def is_earlier(name: object) -> bool:
    """Tell whether a name is that of an installation which was here before this one.

    It is told apart from one that lives beside this one by where it was made.
    """
    mine = refreshed()
    place = mine.partition(".")[0]
    return name != mine and bool(place) and str(name).partition(".")[0] == place


def _look(here: Hashable) -> bool:
    now = time.monotonic()
    if now - _missing_since.get(here, -LOOK_AGAIN_SECONDS) < LOOK_AGAIN_SECONDS:
        return False
    if UserSession._meta.db_table in connections[db.database()].introspection.table_names():
        _there[here] = True
        return True
    if here not in _missing_since:
        logger.error(
            "The tables of live_single_session are missing: no session is limited or ended. "
            "Run manage.py migrate."
        )
    _missing_since[here] = now
    return False


def _make() -> str:
    """Make a name where there is none; one that nothing is earlier than, if rows are there."""
    place = "" if db.rows().exists() else _place()
    name = f"{place}.{get_random_string(16)}"
    try:
        with transaction.atomic(using=db.database()):
            Installation.objects.using(db.database()).create(pk=db.INSTALLATION_PK, name=name)
    except IntegrityError:  # another process was faster
        name = Installation.objects.using(db.database()).get(pk=db.INSTALLATION_PK).name
    return name


def _here() -> Hashable:
    """Return what tells one registry of this process from another: a schema for each tenant."""
    using = db.database()
    return using, getattr(connections[using], "schema_name", None)


def _place() -> str:
    connection = connections[db.database()]
    schema = ""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            schema = str(cursor.fetchone()[0])
    parts = [connection.vendor, *db.place_of(db.database()), schema]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
