"""Chaos for some minutes with each engine: `python -m benchmarks.chaos [--seconds 120]`.

The report is benchmarks/results/chaos.{json,md}; what happens is in tests.chaos.chaos.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

from benchmarks.measure import load, machine
from tests.chaos.chaos import ENGINES, Plan, run

RESULTS = Path(__file__).parent / "results"
CASES = [
    ("db", "pubsub", 1),
    ("db", "redis", 2),
    ("cached_db", "pubsub", 1),
    ("cached_db", "redis", 2),
    ("cache", "pubsub", 1),
    ("signed_cookies", "redis", 1),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of faults, for each case")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument(
        "--watches-browsers", action="store_true", help="with AWAY_SECONDS and ON_SHARED"
    )
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    found = []
    for engine, layer, limit in CASES:
        if options.engine not in (None, engine):
            continue
        plan = Plan(options.seconds, options.seed, layer, engine, limit)
        plan = replace(plan, watches_browsers=options.watches_browsers)
        print(f"{engine}, {layer}, limit {limit}: load {load()}", flush=True)
        report = asyncio.run(run(plan))
        found.append(report.as_json() | {"load": load()})
        for violation in report.violations:
            print("  " + violation, flush=True)
        if report.violations:
            path = RESULTS / f"chaos-{engine}-{layer}.log"
            path.write_text(report.log)
            print(f"  {path}")
    RESULTS.mkdir(exist_ok=True)
    result = {"machine": machine(), "runs": found}
    (RESULTS / "chaos.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "chaos.md").write_text(_report(result))
    sys.exit(any(one["violations"] for one in found))


def _report(result: dict[str, Any]) -> str:
    machine = result["machine"]
    lines = [
        "# Chaos",
        "",
        "Made by `make chaos`: two nodes, one of them with a wrong clock, people who sign in,",
        "rotate keys and keep tabs open, two faults at a time. What must be true is checked",
        "from outside while it goes on, and at the end for the cookies and for every tab.",
        "",
        "| engine, layer, limit | faults | logins | failed by a fault | checks | all knew, s "
        "after recovery | to log in, s: p50 / p99 | until the old tab is told | violations |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in result["runs"]:
        plan, knew = one["plan"], one["seconds from recovery until all knew"]
        cells = [
            f"{plan['engine']}, {plan['layer']}, {plan['limit']}",
            sum(one["faults"].values()),
            one["logins"],
            one["logins that a fault failed"],
            one["checks from outside"],
            "never" if knew is None else f"{knew:.1f}",
            _quantiles(one["seconds to log in"]),
            _quantiles(one["seconds from login to being told"]),
            len(one["violations"]),
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    for one in result["runs"]:
        faults = ", ".join(f"{name} {n}" for name, n in sorted(one["faults"].items()))
        after = "; ".join(
            f"{node['tasks']} tasks, {node['files']} files, {node['threads']} threads, "
            f"{node['resident'] >> 20} MiB (before: {was['resident'] >> 20})"
            for was, node in zip(one["before"], one["after"], strict=True)
        )
        lines += [
            f"- {one['plan']['engine']}, {one['plan']['layer']} (seed {one['plan']['seed']}, "
            f"load {one['load']}): {faults}. Left in the nodes: {after}. Tracebacks that a "
            f"fault explains: {sum(one['tracebacks that a fault explains'].values())}. "
            f"Sessions that one cost, as with Django: {one['sessions that a fault cost']}.",
            *(f"  - {text}" for text in one["violations"]),
        ]
    lines += [
        "",
        f"<sub>{machine['date']}; {machine['cores']} cores ({machine['processor']}), "
        f"{machine['system']}, Python {machine['python']}, "
        + ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
        + "</sub>",
        "",
    ]
    return "\n".join(lines)


def _quantiles(seconds: dict[str, float]) -> str:
    return f"{seconds['p50']:.2f} / {seconds['p99']:.2f}"


if __name__ == "__main__":
    main()
