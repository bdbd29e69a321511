"""The steps of an operation that others can see, and how to hold it before one of them."""

import sys
from contextvars import ContextVar
from pathlib import Path
from threading import Event

from django.core.cache.backends.locmem import LocMemCache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

UNSEEN = ("SAVEPOINT", "RELEASE", "ROLLBACK", "SHOW", "SELECT set_config")
NAMED = ("/live_single_session/", "/django/contrib/sessions/", "/django/contrib/auth/")
HELPERS = ("statements.py", "db.py", "__init__.py")
SECONDS = 60  # after which something is wrong

_running: ContextVar["Run | None"] = ContextVar("running", default=None)


class Run:
    """One run of an operation, which can be held before a step, and paused at any.

    Attributes:
        steps: what it has come to so far, by name.
        stands: set while it is held or paused, and when it is over.
        is_over: whether it has ended.
    """

    def __init__(self, hold_before: int | None = None) -> None:
        self.steps: list[str] = []
        self.stands = Event()
        self.is_over = False
        self._hold_before = hold_before
        self._may_go = Event()
        self._may_go.set()

    def __call__(self, operation, *args):
        token = _running.set(self)
        try:
            return operation(*args)
        finally:
            _running.reset(token)
            self.is_over = True
            self.stands.set()

    @property
    def held_before(self) -> str:
        reached = self._hold_before is not None and self._hold_before < len(self.steps)
        return self.steps[self._hold_before] if reached else "(its end)"

    def pause(self) -> None:
        """Stand at the next step."""
        self._may_go.clear()

    def go_on(self) -> None:
        if not self.is_over:
            self.stands.clear()
        self._may_go.set()

    def come_to(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) - 1 == self._hold_before:
            self.pause()
        self.wait_for_turn()

    def wait_for_turn(self) -> None:
        if not self._may_go.is_set():
            self.stands.set()
            assert self._may_go.wait(SECONDS)


def wait_for_turn() -> None:
    """Let a run that is paused stand here; it is no step before which it may be held."""
    run = _running.get()
    if run is not None:
        run.wait_for_turn()


def watch() -> None:
    """Let every query, commit and cache operation of a run be a step of it."""
    connection_created.connect(_watch_queries, weak=False, dispatch_uid="explore")
    _watch(BaseDatabaseWrapper, "_commit", "COMMIT")
    for name in ("get", "set", "add", "delete", "touch"):
        _watch(LocMemCache, name, f"cache.{name}")


def _watch_queries(connection, **kwargs) -> None:
    def execute(call, sql, params, many, context):
        run = _running.get()
        if run is not None and not str(sql).startswith(UNSEEN):
            run.come_to(f"{_caller()}: {_short(str(sql))}")
        return call(sql, params, many, context)

    connection.execute_wrappers.append(execute)


def _watch(owner: type, name: str, what: str) -> None:
    original = getattr(owner, name)

    def watched(self, *args, **kwargs):
        run = _running.get()
        if run is not None:
            run.come_to(f"{_caller()}: {what}")
        return original(self, *args, **kwargs)

    setattr(owner, name, watched)


def _short(sql: str) -> str:
    """A query's verb and the table that it is about."""
    words = sql.replace('"', " ").replace(".", " ").split()
    tables = [word for word in words if word.count("_") and word.islower()]
    lock = " FOR UPDATE" if " FOR " in sql else ""
    return f"{words[0]} {tables[0] if tables else ''}{lock}"


def _caller() -> str:
    """The innermost function of the package or of Django's sessions that does the step."""
    frame, helper = sys._getframe(2), None
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if any(part in str(path) for part in NAMED) and "/tests/" not in str(path):
            name = f"{path.parent.name}.{path.stem}.{frame.f_code.co_name}"
            if path.name not in HELPERS:
                return name
            helper = helper or name
        frame = frame.f_back
    return helper or "the view"
