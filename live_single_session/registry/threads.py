"""Ask the database where Django allows that: not in the thread of an event loop.

Synchronous code of an async view or middleware may use a session whose engine needs no
database, and goes on to do so. It waits there for the registry, as it does for the engine.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import close_old_connections

_helpers = ThreadPoolExecutor(thread_name_prefix="live_single_session")
_current = threading.local()


def outside_loop(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function; in another thread if an event loop runs in this one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return function(*args)
    context = contextvars.copy_context()
    return _helpers.submit(context.run, _help, loop, function, *args).result()


def waiting_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that waits for this thread, and so can do nothing else."""
    loop: asyncio.AbstractEventLoop | None = getattr(_current, "loop", None)
    return loop


def _help(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> Any:
    _current.loop = loop
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()
        _current.loop = None
