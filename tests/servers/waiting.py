"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.01  # seconds
# Seconds that a busy machine may take for anything. A re-check comes after 30 by default: it
# would hide that a push was never sent.
PATIENCE = 25


def wait_until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of `condition`; an error that says `what` didn't happen."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain: {what}")
        time.sleep(PAUSE)
    return value


async def await_until(
    condition: Callable[[], T | Awaitable[T]], what: str, seconds: float = PATIENCE
) -> T:
    """The same, for a condition that may be async, without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not (value := await _value_of(condition)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(PAUSE)
    return value


async def _value_of(condition: Callable[[], T | Awaitable[T]]) -> T:
    value = condition()
    return await value if inspect.isawaitable(value) else value
