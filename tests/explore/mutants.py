"""Protections of the package, each to be taken out: the explorer has to find the harm."""

from contextlib import contextmanager

from django.db.models import QuerySet

from live_single_session import middleware
from live_single_session.backends.fence import Fence
from live_single_session.backends.marks import MarkedFence
from live_single_session.registry import db, engine, gate, lifecycle, records


def locks() -> None:
    """Nobody waits for anybody."""
    QuerySet.select_for_update = lambda rows, **options: rows.all()


def rotation_lock() -> None:
    """A new key is recorded without the user's lock."""

    @contextmanager
    def unlocked(user_pks, *, wait=True):
        yield

    class Unlocked:
        locked = staticmethod(unlocked)

        def __getattr__(self, name):
            return getattr(db, name)

    lifecycle.db = Unlocked()


def fence() -> None:
    """Whatever is stored under a key is let in."""
    obey = Fence._obey

    def let_in(session, verdict, data):
        return obey(session, gate.Verdict(opens=True, row_id=verdict.row_id), data)

    Fence._obey = let_in
    MarkedFence._is_trusted = lambda session, key, data: False


def marks() -> None:
    """A cache isn't told that keys may be invalid."""
    engine.mark = lambda session_keys, seconds: None


def late_saves() -> None:
    """A save of a session that has ended is not dropped."""
    Fence._unless_gone = lambda session, save: save()


def late_cookies() -> None:
    """The cookie of a save that was dropped is set."""
    middleware.skip_session_cookie = lambda response: None


def faster_rotation() -> None:
    """A rotation that comes second gives up what it wanted to save."""
    Fence._go_on_with = lambda session, key: session.drop()


def password_check() -> None:
    """A sign-in doesn't look again whether its password is still the right one."""
    records.check_password = lambda user, current: None


def known_keys() -> None:
    """A session whose key the registry knows is adopted like one that it doesn't."""
    lifecycle._knows = lambda row, session_key: False


def burial() -> None:
    """The end of a session that was never adopted is not recorded."""
    lifecycle.bury = lambda user, session_key, reason: None


MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        locks,
        rotation_lock,
        fence,
        marks,
        late_saves,
        late_cookies,
        faster_rotation,
        password_check,
        known_keys,
        burial,
    )
}
