"""The test site in processes of its own: on an engine, a database and a Redis."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from tests.helpers.engines import PATHS
from tests.servers.waiting import PATIENCE
from tests.site.people import credentials


def environment(engine, database_url, redis, folder, **extra):
    """What a daphne has to be told; those that share it serve one site."""
    folder.mkdir(exist_ok=True)
    return {
        "DATABASE_URL": database_url,
        "SESSION_ENGINE": PATHS[engine],
        "SESSION_FILE_PATH": str(folder),
        "REDIS_URL": redis.url,
        "CHANNEL_LAYER": "redis",
        **extra,
    }


def browser_at(url, cookie=None):
    """A browser that is new or has a cookie, for one site."""
    cookies = {"sessionid": cookie} if cookie else None
    # To load the certificates that nobody needs here takes longer than a sign-in: of several
    # at once, each would come after the others.
    return httpx.Client(base_url=url, timeout=4 * PATIENCE, cookies=cookies, verify=False)


def sign_in(url, name="alice", path="/api/login/", cookie=None):
    """Sign in from a browser that is new or has a cookie; returns the response."""
    with browser_at(url, cookie) as browser:
        return browser.post(path, json=credentials(name))


def who(url, cookie, path="/whoami/"):
    with browser_at(url, cookie) as browser:
        response = browser.get(path)
    assert response.status_code == 200, response.text
    return response.json()["user"]


def at_once(calls):
    """Make calls at the same time, each in a thread of its own; returns what they return."""
    start = Barrier(len(calls))

    def with_the_others(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(with_the_others, call) for call in calls]
        return [future.result() for future in futures]
