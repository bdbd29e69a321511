"""What an engine's ``UpdateError`` means: the session is gone, or the database failed."""

from django.contrib.sessions.backends.base import UpdateError
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

# Errors of the database itself. If there was no row to update, none of them was raised.
TROUBLE = (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)


def is_gone(error: UpdateError) -> bool:
    """Tell whether a session was not saved because it is gone, not because of an error."""
    return not isinstance(error.__context__, TROUBLE)
