"""One server process: started, awaited, stopped; and gone when the process of pytest is.

Each server runs in a temporary directory and on a free port of 127.0.0.1.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from tests.servers.packages import find
from tests.servers.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

# Below the ports that the kernel gives to clients: none of those can take a server's port
# while the server is being restarted.
PORTS = range(20_000, 32_000)

# A server dies with the *thread* that started it, so all are started by one that lives as
# long as pytest does.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servers")


class ServerFailedError(Exception):
    """A server ended before it was ready; the message carries its log."""


class ServerProcess:
    """A server to be described by a subclass: its command, and what it logs when ready."""

    name: str
    ready_text: str
    stop_signal = signal.SIGTERM
    death_signal = "KILL"  # what it gets when pytest dies
    ready_seconds = 60

    def __init__(self, user: str | None = None) -> None:
        self.user = user
        self.directory = Path(tempfile.mkdtemp(prefix=f"live-single-session-{self.name}-"))
        self.port = 0
        self._log_path = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        if user:
            shutil.chown(self.directory, user)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    @property
    def log(self) -> str:
        """All that the server has printed, over all its restarts."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} isn't running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on a free port, or on the next one if somebody was quicker."""
        for _ in range(3):
            self.port = free_port()
            try:
                return self._start()
            except ServerFailedError as error:
                if "ddress already in use" not in str(error):
                    raise
        raise ServerFailedError(f"{self.name} found no free port")

    def restart(self) -> None:
        """Stop, if it still runs, and start on the same port."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """End it in the orderly way, or at last in the other one. It may have ended already."""
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(self.stop_signal)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """SIGKILL: no time for a last word."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop for good, and remove its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _start(self) -> None:
        assert not self.is_running, f"{self.name} is running already"
        earlier = len(self.log)
        self._process = _starter.submit(self._spawn).result()
        wait_until(
            lambda: self.ready_text in self.log[earlier:] or not self.is_running,
            f"{self.name} to be ready",
            self.ready_seconds,
        )
        if not self.is_running:
            self._process = None
            raise ServerFailedError(f"{self.name} didn't start:\n{self.log[earlier:]}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                self._in_our_care(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT if self.user is None else self.directory,
                env=self.environment(),
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the servers
            )

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's tools to its end."""
        done = subprocess.run(
            self._in_our_care([find(program), *arguments]),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailedError(f"{program} failed:\n{done.stdout}")

    def _in_our_care(self, command: list[str]) -> list[str]:
        """The command, to be run as its user and to end with the thread that started it."""
        user = [] if self.user is None else _identity(self.user)
        return ["setpriv", "--pdeathsig", self.death_signal, *user, "--", *command]


def _identity(user: str) -> list[str]:
    group = pwd.getpwnam(user).pw_gid
    return [f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def free_port() -> int:
    """A port that nobody listens on, not drawn from `random`, which the suite seeds."""
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with closing(socket.socket()) as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    """The server, started; closed when the context is left."""
    try:
        server.start()
        yield server
    finally:
        server.close()
