"""A real Redis Sentinel, which makes a replica the master when the master is gone."""

import redis

from tests.servers.packages import find
from tests.servers.process import ServerProcess
from tests.servers.redis import RedisServer

MASTER = "site"  # what clients ask the sentinel for


class Sentinel(ServerProcess):
    name = "sentinel"
    ready_text = "+monitor master"

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def command(self) -> list[str]:
        settings = self.directory / "sentinel.conf"  # it writes to it
        settings.write_text(
            f"""
            bind 127.0.0.1
            port {self.port}
            dir {self.directory}
            sentinel monitor {MASTER} 127.0.0.1 {self._master.port} 1
            sentinel down-after-milliseconds {MASTER} 1000
            sentinel failover-timeout {MASTER} 10000
            """
        )
        return [find("redis-server"), str(settings), "--sentinel"]

    def port_of_master(self) -> int:
        """Return the port of the Redis that is the master now."""
        with redis.Redis(port=self.port, socket_timeout=10) as client:
            found = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return int(found[1])

    def knows_a_replica(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=10) as client:
            return bool(client.execute_command("SENTINEL", "REPLICAS", MASTER))


class RedisReplica(RedisServer):
    name = "redis-replica"

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def command(self) -> list[str]:
        return [*super().command(), "--replicaof", "127.0.0.1", str(self._master.port)]

    def has_subscribers(self) -> bool:
        """Whether somebody waits here for messages; the sentinel does, too."""
        with redis.Redis.from_url(self.url, socket_timeout=10) as client:
            return bool(client.pubsub_channels("*live-single-session*"))
