"""What an engine's ``UpdateError`` means: the session is gone, or there is other trouble."""

from django import db
from django.contrib.sessions.backends.base import UpdateError

# What a database raises by itself. That no row was there to be updated, Django finds out.
TROUBLE = (
    db.DataError,
    db.IntegrityError,
    db.InterfaceError,
    db.InternalError,
    db.NotSupportedError,
    db.OperationalError,
    db.ProgrammingError,
)


def is_gone(error: UpdateError) -> bool:
    """Tell whether a session was not saved because it is gone, and not for other trouble."""
    return not isinstance(error.__context__, TROUBLE)
