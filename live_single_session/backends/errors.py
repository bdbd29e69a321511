"""What an engine's ``UpdateError`` means: the session is gone, or there is other trouble."""

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

# What a database raises by itself. That no row was there to be updated, Django finds out.
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
    """Tell whether a session was not saved because it is gone, and not for other trouble."""
    return not isinstance(error.__context__, TROUBLE)
