"""Whatever a client may send, thousands of times, and what is dangerous in the source.

Each test takes as many examples as it is told to, which are new ones each time.

    .venv/bin/python -m benchmarks.fuzz [--examples 5000]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.measure import machine

RESULTS = Path(__file__).parent / "results"

TESTS = {
    "the ASGI surface: requests and websockets": ["tests/fuzz/test_fuzz.py"],
    "the security model, item by item": ["tests/security/test_security.py"],
    "the JSON endpoints, by their OpenAPI schemas": ["tests/fuzz/test_schema.py"],
}
PYTEST = ["-m", "pytest", "-p", "no:randomly"]
BANDIT = ["-m", "bandit", "--quiet", "--recursive", "--skip", "B101", "live_single_session"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=5000, help="for each test")
    examples = parser.parse_args().examples
    is_clean = subprocess.run([sys.executable, *BANDIT], check=False).returncode == 0
    found = {name: _run(arguments, examples) for name, arguments in TESTS.items()}
    result = {
        "machine": machine(),
        "examples": examples,
        "bandit": "nothing" if is_clean else "see its output",
        "found": found,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "fuzz.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "fuzz.md").write_text(_report(result))
    sys.exit(not is_clean or any(part["failed"] for part in found.values()))


def _run(arguments: list[str], examples: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.xml")
        subprocess.run(
            [sys.executable, *PYTEST, f"--junit-xml={path}", *arguments],
            env=os.environ | {"FUZZ_EXAMPLES": str(examples)},
            check=False,  # what fails is in the report
        )
        suites = ElementTree.parse(path).getroot().findall("testsuite")
    failed = sum(int(suite.get(kind, 0)) for suite in suites for kind in ("failures", "errors"))
    return {
        "tests": sum(int(suite.get("tests", 0)) for suite in suites),
        "failed": failed,
        "seconds": round(sum(float(suite.get("time", 0)) for suite in suites)),
    }


def _report(result: dict[str, Any]) -> str:
    machine = result["machine"]
    lines = [
        "# Fuzzing",
        "",
        f"Made by `make fuzz`: {result['examples']:,} examples for each property, always new;",
        "of the addresses under session/ a tenth, each asked by four kinds of visitors.",
        "Looked for: an answer of 5xx, a traceback in the log, a session key or a token in",
        "what comes back, and an answer that the schema doesn't describe.",
        "",
        "| | tests | failed | seconds |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {part['tests']} | {part['failed']} | {part['seconds']:,} |"
        for name, part in result["found"].items()
    ]
    packages = ("django", "channels")
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in packages)
    lines += [
        "",
        f"What `bandit` finds in the package: {result['bandit']}.",
        "",
        f"<sub>{machine['date']}; {machine['cores']} cores ({machine['processor']}); "
        f"{machine['system']}, Python {machine['python']}, {versions}</sub>",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
