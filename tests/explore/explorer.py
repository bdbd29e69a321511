"""Explore the interleavings of one process's share, on the PostgreSQL of DATABASE_URL.

python -m tests.explore.explorer --engine db --sample 100 --seed 7
"""

import argparse
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import django
from django.conf import settings
from django.db import connection, connections

ENGINES = ["db", "cached_db", "cache"]


def options_of(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--engine", action="append", help="by default all three")
    parser.add_argument("--way", choices=["sync", "async"], help="by default both")
    parser.add_argument("--atomic", choices=["yes", "no"], help="by default both")
    parser.add_argument("--limit", type=int, help="by default 1 and 2")
    parser.add_argument("--first", help="the operation that is held, by default each")
    parser.add_argument("--second", help="the one beside it, by default each")
    parser.add_argument("--sample", type=int, help="how many interleavings; by default all")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the sample")
    parser.add_argument("--without", help="a protection to take out, see tests.explore.mutants")
    parser.add_argument("--until-found", action="store_true", help="stop at the first problem")
    return parser


@dataclass(frozen=True)
class Interleaving:
    """Two operations on a site, the first held before one of its steps."""

    site: object
    first: object
    second: object
    is_registered: bool
    step: int

    def __str__(self) -> str:
        kind = "" if self.is_registered else ", older than the installation"
        return f"{self.site}{kind}: {self.first.__name__} beside {self.second.__name__}"


class Explorer:
    """Runs interleavings, each in the same two threads with connections of their own."""

    def __init__(self) -> None:
        self._one, self._two = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._worlds: dict[object, World] = {}
        self._numbers: dict[object, int] = {}

    def close(self) -> None:
        for pool in (self._one, self._two):
            pool.submit(connections.close_all).result()
            pool.shutdown()

    def number_of_steps(self, site, operation, is_registered: bool) -> int:
        """How many steps an operation has if nothing goes on beside it."""
        case = site, operation, is_registered
        if case not in self._numbers:
            run = Run()
            world = self._world(Interleaving(site, operation, operation, is_registered, 0))
            self._one.submit(run, operation, world).result(SECONDS)
            self._numbers[case] = len(run.steps)
        return self._numbers[case]

    def problems_of(self, case: Interleaving) -> tuple[str, list[str]]:
        """What is wrong after an interleaving, and where the first operation was held."""
        world = self._world(case)
        run, beside = Run(hold_before=case.step), Run()
        one = self._one.submit(run, case.first, world)
        assert run.stands.wait(SECONDS)
        two = self._two.submit(beside, case.second, world)
        self._take_turns(beside, run)
        found = [f"{FAILED}: {error!r}" for error in map(_error_of, (one, two)) if error]
        return run.held_before, found + list(problems(world, case.first, case.second))

    def _world(self, case: Interleaving) -> "World":
        pair = {case.first, case.second}
        case.site.use(records_use=operations.touch in pair)
        key = case.site, case.is_registered
        if key not in self._worlds:
            self._worlds[key] = World(case.site, is_registered=case.is_registered)
        world = self._worlds[key]
        world.restore(is_thought_expired=operations.expire in pair)
        return world

    @classmethod
    def _take_turns(cls, active: "Run", passive: "Run") -> None:
        """Let one run until it is over, or waits for a lock of the other; then the other.

        So what happens depends on the interleaving alone, not on how busy the machine is.
        """
        until = time.monotonic() + SECONDS
        while not (active.is_over and passive.is_over) and time.monotonic() < until:
            passive.pause()
            active.go_on()
            while not active.is_over and time.monotonic() < until:
                if passive.stands.is_set() and cls._waits_for_lock():
                    break
                time.sleep(0.001)
            active, passive = passive, active

    @staticmethod
    def _waits_for_lock() -> bool:
        """Tell whether a request of this site waits for a lock."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            return bool(cursor.fetchone()[0])


def _error_of(future: Future) -> BaseException | None:
    return future.exception(SECONDS)


def sites(options) -> list["World"]:
    ways = [options.way == "async"] if options.way else [False, True]
    atomic = [options.atomic == "yes"] if options.atomic else [False, True]
    limits = [options.limit] if options.limit else [1, 2]
    engines = options.engine or ENGINES
    return [Site(*case) for case in itertools.product(engines, ways, atomic, limits)]


def pairs(options) -> list[tuple[object, object, bool]]:
    """Two operations, and whether the registry knows the browser's session before."""
    named = {operation.__name__: operation for operation in operations.OPERATIONS}
    firsts = [named[options.first]] if options.first else operations.OPERATIONS
    seconds = [named[options.second]] if options.second else operations.OPERATIONS
    return [
        (first, second, operations.adopt not in (first, second))
        for first, second in itertools.product(firsts, seconds)
    ]


def all_of(explorer: Explorer, options) -> Iterator[Interleaving]:
    for site, (first, second, registered) in itertools.product(sites(options), pairs(options)):
        for step in range(explorer.number_of_steps(site, first, registered)):
            yield Interleaving(site, first, second, registered, step)


def some_of(explorer: Explorer, options) -> Iterator[Interleaving]:
    chance = random.Random(options.seed)
    all_sites, all_pairs = sites(options), pairs(options)
    for _ in range(options.sample):
        site, (first, second, registered) = chance.choice(all_sites), chance.choice(all_pairs)
        number = explorer.number_of_steps(site, first, registered)
        step = chance.randrange(number) if number else 0
        yield Interleaving(site, first, second, registered, step)


def explore(options) -> Counter:
    """Print what is found; return how often what was found, and of how many."""
    explorer, counts = Explorer(), Counter()
    try:
        for case in (all_of if options.sample is None else some_of)(explorer, options):
            step, found = explorer.problems_of(case)
            counts["interleavings"] += 1
            for problem in found:
                print(f"{case}, held at step {case.step}, {step}: {problem}", flush=True)
                counts[problem.partition(":")[0]] += 1
            if found and options.until_found:
                break
    except KeyboardInterrupt:
        print("(interrupted)")
    finally:
        explorer.close()
    return counts


def main() -> None:
    options = options_of(argparse.ArgumentParser(description=__doc__)).parse_args()
    logging.disable(logging.CRITICAL)
    settings.ROOT_URLCONF = "tests.explore.urls"
    if options.sample is not None:
        print(f"seed {options.seed}")
    started = time.monotonic()
    watch()
    if options.without:
        mutants.MUTANTS[options.without]()
    counts = explore(options)
    number = counts.pop("interleavings", 0)
    print(f"{number} interleavings in {time.monotonic() - started:.0f} s")
    for problem, times in counts.most_common():
        print(f"{problem}: {times} of {number}")
    raise SystemExit(bool(counts) or not number)


django.setup()

from tests.explore import mutants, operations  # noqa: E402 - they need the apps
from tests.explore.judge import FAILED, problems  # noqa: E402
from tests.explore.steps import SECONDS, Run, watch  # noqa: E402
from tests.explore.world import Site, World  # noqa: E402

if __name__ == "__main__":
    main()
