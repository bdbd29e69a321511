"""What a request with a token costs, beside simplejwt's own class."""

import json
import urllib.request
from contextlib import ExitStack
from typing import Any

from benchmarks.measure import Servers, Site, load, ratios, shuffled, spread, wrk
from tests.servers.daphne import Daphne
from tests.site.people import PASSWORD

PAGES = {"simplejwt's own": "/api/simplejwt/me/", "ours": "/api/me/"}


def run(rounds: int, seconds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        servers = Servers(stack)
        site = servers.site("ours")
        settings = {"DJANGO_SETTINGS_MODULE": "tests.contrib.simplejwt.settings"}
        site.daphne = Daphne(
            "tests.contrib.simplejwt.asgi:application", site.daphne.env | settings
        )
        site.run("tests.site.people")
        site.start()
        header = {"Authorization": f"Bearer {_token(site)}"}
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in PAGES}
        for path in PAGES.values():
            wrk(site, path, 1, header)
        for _ in range(rounds):
            for name, path in shuffled(PAGES.items()):
                taken[name].append(wrk(site, path, seconds, header))
    return {
        "load": load(),
        **{
            name: {
                **{key: spread([one[key] for one in measured]) for key in measured[0]},
                "throughput ratio": ratios(
                    [one["per second"] for one in measured],
                    [one["per second"] for one in taken["simplejwt's own"]],
                ),
                "cpu ratio": ratios(
                    [one["cpu ms"] for one in measured],
                    [one["cpu ms"] for one in taken["simplejwt's own"]],
                ),
            }
            for name, measured in taken.items()
        },
    }


def _token(site: Site) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.port}/api/token/",
        json.dumps({"username": "alice", "password": PASSWORD}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        token: str = json.load(answer)["access"]
    return token
