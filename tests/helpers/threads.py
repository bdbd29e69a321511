"""Threads that leave no database connection behind."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock

from django.db import connections

from tests.servers.waiting import PATIENCE


@contextmanager
def in_threads(count=1):
    """`submit = ...; submit(function, *args)` gives a future; left when all are done."""
    with ThreadPoolExecutor(count) as pool:

        def submit(function, *args, **kwargs):
            return pool.submit(_run, function, args, kwargs)

        yield submit


def _run(function, args, kwargs):
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()


@contextmanager
def held(gate, browser, path):
    """A request that stands at a gate; `.result()` once the context is left."""
    with in_threads() as submit:
        answer = submit(browser.get, path)
        try:
            gate.wait_for_arrival()
            yield answer
        finally:
            gate.open()


class Hook:
    """Holds one thread before (or after) a function, until the test lets it go on.

    Only the thread that first comes to it is held, and only while `armed`.
    """

    def __init__(self, monkeypatch, owner, name, when=lambda *args: True, *, after=False):
        original = getattr(owner, name)
        self._arrived, self._open = Event(), Event()
        self._held = Lock()

        def held(*args, **kwargs):
            if after:
                result = original(*args, **kwargs)
            if when(*args) and self._held.acquire(blocking=False):
                self._arrived.set()
                assert self._open.wait(4 * PATIENCE)
            return result if after else original(*args, **kwargs)

        monkeypatch.setattr(owner, name, held)

    def wait_for_arrival(self):
        assert self._arrived.wait(PATIENCE)

    def open(self):
        self._open.set()
