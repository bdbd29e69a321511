"""Show the progress of a long command: a bar on a terminal, plain lines elsewhere.

The bar is tqdm's: ``pip install django-live-single-session[progress]``.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper

try:
    from tqdm import tqdm
except ImportError:  # it is optional
    tqdm = None

Advance = Callable[[int], None]


@contextmanager
def progress(total: int, out: OutputWrapper, what: str) -> Iterator[Advance]:
    """Show how much of a command's work is done.

    Args:
        total: how much there is to do.
        out: the command's standard error, so that its output can be piped on.
        what: what is counted: "Sessions ended".

    Yields:
        what to call with the amount that was done since the last call.
    """
    if tqdm is None or not out.isatty():
        yield Lines(total, out, what)
        return
    with tqdm(total=total, desc=what, unit="", file=sys.stderr, dynamic_ncols=True) as bar:
        yield bar.update


class Lines:
    """Writes a line after each tenth of the work."""

    def __init__(self, total: int, out: OutputWrapper, what: str) -> None:
        self._total, self._out, self._what = total, out, what
        self._done = self._said = 0

    def __call__(self, number: int) -> None:
        """Add to the work that is done."""
        self._done += number
        if (self._done - self._said) * 10 >= self._total or self._done == self._total:
            self._said = self._done
            text = f"{self._what}: {self._done} of {self._total}"
            self._out.write(text, style_func=str)  # not red: it is no error
