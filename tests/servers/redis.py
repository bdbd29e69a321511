"""A real Redis without persistence, to be killed, paused and restarted."""

import signal

import redis

from tests.servers.packages import find
from tests.servers.process import ServerProcess


class RedisServer(ServerProcess):
    name = "redis"
    ready_text = "Ready to accept connections"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
        }
        flags = [flag for name, value in options.items() for flag in (f"--{name}", value)]
        return [find("redis-server"), *flags]

    def pause(self) -> None:
        """It keeps its connections and accepts new ones, but answers none."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def has(self, key: str) -> bool:
        """Whether there is something under a key; nothing is, while it is away."""
        with redis.Redis.from_url(self.url, socket_timeout=10) as client:
            try:
                return bool(client.exists(key))
            except redis.RedisError:
                return False

    def cut_connections(self) -> None:
        """Close the connections of all its clients, and keep running."""
        with redis.Redis.from_url(self.url) as client:
            client.execute_command("CLIENT", "KILL", "SKIPME", "yes")

    def renew(self) -> None:
        """Running, awake and empty, whatever was done to it before."""
        self.resume()
        if not self.is_running:
            self.restart()
        self.flush()
