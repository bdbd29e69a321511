"""Counts the queries and the round trips to the cache of a request: `... PATH COOKIE`.

With a body in the place of the cookie, it is posted, and twice: the second time counts.
"""

import sys
from collections import Counter


def main(path: str, what: str) -> None:
    import django

    django.setup()
    import redis
    from django.db.backends.utils import CursorWrapper
    from django.test import Client

    counted: Counter[str] = Counter()

    def count(owner, name, kind):
        original = getattr(owner, name)

        def counting(self, *args, **kwargs):
            counted[kind] += 1
            return original(self, *args, **kwargs)

        setattr(owner, name, counting)

    count(CursorWrapper, "execute", "queries")
    count(CursorWrapper, "executemany", "queries")
    count(redis.Redis, "execute_command", "trips")
    count(redis.client.Pipeline, "execute", "trips")
    for _ in range(2):
        client = Client()
        counted.clear()
        if what.startswith("{"):
            answer = client.post(path, what, content_type="application/json")
        else:
            client.cookies["sessionid"] = what
            answer = client.get(path)
        assert answer.status_code == 200, answer.content
    print(counted["queries"], counted["trips"])


if __name__ == "__main__":
    main(*sys.argv[1:])
