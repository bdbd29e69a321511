"""Build and check the models with spin: ``python -m tests.model.run``, or ``make model``."""

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.model.mutants import FULL, MUTANTS
from tests.servers.packages import find

HERE = Path(__file__).parent
PROPERTIES = ("all_told", "all_heard")


class Verdict(NamedTuple):
    """What an exhaustive search has found."""

    holds: bool
    states: int
    output: str


def check(model: str, defines: str) -> Verdict:
    """Search all states of a model.

    Args:
        model: the name of its file, without the suffix.
        defines: what it is built with, as ``-DNAME`` or ``-DNAME=VALUE``.

    Returns:
        whether everything holds, the number of states, and what the search said.

    Raises:
        RuntimeError: it can't be built, or the search was not exhaustive.
    """
    live = model == "watch"
    if model == "registry" and "-DN=" not in defines:
        defines += " -DN=2"
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, find("spin"), "-a", *defines.split(), str(HERE / f"{model}.pml"))
        kind = [] if live else ["-DSAFETY", "-DCOLLAPSE"]
        # What searches little is rather built in no time.
        speed = "-O2" if "-DN=3" in defines else "-O0"
        _run(folder, find("cc"), speed, "-w", *kind, "-o", "pan", "pan.c")
        searches = [["-a", "-f", "-N", name] for name in PROPERTIES] if live else [[]]
        outputs = [_run(folder, "./pan", "-m1000000", *search) for search in searches]
    if any("max search depth too small" in output for output in outputs):
        raise RuntimeError(f"{model} {defines}: the search was not exhaustive")
    return Verdict(
        all("errors: 0" in output for output in outputs),
        sum(int(float(_before(output, "states, stored"))) for output in outputs),
        "\n".join(outputs),
    )


def _run(folder: str, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def _before(output: str, words: str) -> str:
    return output.partition(words)[0].split()[-1]


def main() -> int:
    """Check all models and mutants, two at a time; return 1 if one isn't as it should be."""
    tasks = [(model, world, True) for model, world in FULL]
    tasks += [(m.model, f"{m.world} -D{m.name}".strip(), False) for m in MUTANTS]
    failed = False

    def timed(task: tuple[str, str, bool]) -> tuple[Verdict, float]:
        start = time.monotonic()
        return check(task[0], task[1]), time.monotonic() - start

    with ThreadPoolExecutor(2) as pool:
        for task, (verdict, seconds) in zip(tasks, pool.map(timed, tasks), strict=True):
            right = verdict.holds == task[2]
            failed = failed or not right
            found = "holds" if verdict.holds else "counterexample"
            print(
                f"{'ok   ' if right else 'WRONG'} {task[0]} {task[1]}: {found},"
                f" {verdict.states} states, {seconds:.1f} s",
                flush=True,
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
