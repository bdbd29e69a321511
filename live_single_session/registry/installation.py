"""Whether the registry's tables exist, and the name of this installation.

Each session keeps this name beside its id. So a session of another installation is
recognised: of an earlier one, or of another tenant or site that uses the same store.
"""

import hashlib
import logging
from collections.abc import Hashable

from django.db import IntegrityError, connections, transaction
from django.utils.crypto import get_random_string

from live_single_session.models import Installation, UserSession
from live_single_session.registry import db

logger = logging.getLogger("live_single_session")

_there: dict[Hashable, bool] = {}
_reported: set[Hashable] = set()
_names: dict[Hashable, str] = {}


def is_installed() -> bool:
    """Tell whether the tables exist: the code may be deployed before ``migrate``.

    Once they do, it takes a query once for each connection and schema in a process.
    """
    here = _here()
    return here in _there or _look(here)


def tables_exist() -> bool:
    """Look whether the tables exist. It takes a query."""
    return UserSession._meta.db_table in connections[db.database()].introspection.table_names()


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
    """Remember the name that the table has; if it has none, make one."""
    name = found or _make()
    _names[_here()], _there[_here()] = name, True
    return name


def is_earlier(name: object) -> bool:
    """Tell whether a name is of an earlier installation in this database and schema.

    A name begins with the place where it was made. A name from another place is of an
    installation beside this one.
    """
    mine = refreshed()
    place = mine.partition(".")[0]
    return name != mine and bool(place) and str(name).partition(".")[0] == place


def _look(here: Hashable) -> bool:
    if tables_exist():
        _there[here] = True
        return True
    if here not in _reported:
        logger.error(
            "The tables of live_single_session are missing: no session is limited or ended. "
            "Run manage.py migrate."
        )
    _reported.add(here)
    return False


def _make() -> str:
    """Make a name; if there are rows already, one that no other counts as earlier than."""
    place = "" if db.rows().exists() else _place()
    name = f"{place}.{get_random_string(16)}"
    try:
        with transaction.atomic(using=db.database()):
            Installation.objects.using(db.database()).create(pk=db.INSTALLATION_PK, name=name)
    except IntegrityError:  # another process was faster
        name = Installation.objects.using(db.database()).get(pk=db.INSTALLATION_PK).name
    return name


def _here() -> Hashable:
    """Return what identifies a registry: its connection and, with tenants, the schema."""
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
