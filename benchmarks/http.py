"""What a request costs, beside no package and beside the alternatives."""

from contextlib import ExitStack
from typing import Any

from benchmarks.measure import Servers, Site, load, ratios, shuffled, spread, wrk

VARIANTS = {
    "db": ("none", "ours", "preventconcurrent", "single_session", "usersessions"),
    "cached_db": ("none", "ours", "preventconcurrent", "usersessions"),
}
PAGES = {"async view": "/async/private/", "sync view": "/private/", "public": "/public/"}
MEASURES = ("per second", "p50 ms", "p99 ms", "cpu ms")


def run(rounds: int, seconds: int) -> dict[str, Any]:
    found = {}
    for engine, variants in VARIANTS.items():
        with ExitStack() as stack:
            servers = Servers(stack)
            sites = {v: servers.site(v, engine) for v in variants}
            found[engine] = _of_engine(sites, rounds, seconds)
    return found


def _of_engine(sites: dict[str, Site], rounds: int, seconds: int) -> dict[str, Any]:
    cookies = {variant: site.fill(1)[0] for variant, site in sites.items()}
    taken: dict[str, dict[str, dict[str, list[float]]]] = {
        page: {variant: {m: [] for m in MEASURES} for variant in sites} for page in PAGES
    }
    for site in sites.values():
        site.start()
    loads = []
    for _ in range(rounds):
        # Two processes of the same site differ by some percent, for as long as they live.
        for site in sites.values():
            site.daphne.restart()
            _warm(site, cookies[site.variant])
        for page, path in shuffled(PAGES.items()):
            for variant in shuffled(sites):
                cookie = {"Cookie": f"sessionid={cookies[variant]}"}
                measured = wrk(sites[variant], path, seconds, cookie)
                for name, value in measured.items():
                    taken[page][variant][name].append(value)
        loads.append(load())
    costs = {
        variant: {page: _cost(site, path, cookies[variant]) for page, path in PAGES.items()}
        for variant, site in sites.items()
    }
    return {
        "loads": loads,
        "pages": {
            page: {
                variant: {
                    **{name: spread(values[name]) for name in MEASURES},
                    "throughput ratio": ratios(
                        values["per second"], of_page["none"]["per second"]
                    ),
                    "cpu ratio": ratios(values["cpu ms"], of_page["none"]["cpu ms"]),
                    **costs[variant][page],
                }
                for variant, values in of_page.items()
            }
            for page, of_page in taken.items()
        },
    }


def _warm(site: Site, cookie: str) -> None:
    for path in PAGES.values():
        # The first one alone: parallel ones fail with django-preventconcurrentlogins.
        site.get(path, cookie)
        wrk(site, path, 1, {"Cookie": f"sessionid={cookie}"})


def _cost(site: Site, path: str, cookie: str) -> dict[str, int]:
    queries, trips = site.run("benchmarks.site.count", path, cookie).split()
    return {"queries": int(queries), "cache round trips": int(trips)}
