"""A gate that holds a request of the test site where the test wants it.

The view waits at it until the test opens it. It is made of two files, so that it holds a
thread, a coroutine and a request in another process alike.
"""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

from tests.servers.waiting import PATIENCE, await_until, wait_until


class Gate:
    def __init__(self, directory: Path, name: str = "gate") -> None:
        self.directory = directory
        self.name = name

    # The test's side.

    def wait_for_arrival(self) -> None:
        """Until a request stands at the gate."""
        wait_until(self._arrived.exists, "a request to arrive at the gate")

    async def await_arrival(self) -> None:
        await await_until(self._arrived.exists, "a request to arrive at the gate")

    def open(self) -> None:
        self._open.touch()

    # The view's side.

    def pass_through(self) -> None:
        self._arrived.touch()
        wait_until(self._open.exists, "the gate to open", seconds=4 * PATIENCE)

    async def apass_through(self) -> None:
        self._arrived.touch()
        await await_until(self._open.exists, "the gate to open", seconds=4 * PATIENCE)

    @property
    def _arrived(self) -> Path:
        return self.directory / f"{self.name}.arrived"

    @property
    def _open(self) -> Path:
        return self.directory / f"{self.name}.open"


def gate_of(request: HttpRequest) -> Gate:
    """The one that a request asks to be held at."""
    return Gate(Path(settings.GATE_DIRECTORY), request.GET.get("gate", "gate"))
