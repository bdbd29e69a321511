"""Threads that leave no database connection behind."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connections


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
