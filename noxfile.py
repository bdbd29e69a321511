"""The versions that the package is for: ``nox``, or ``nox -s "tests-3.13(django='6.1')"``.

Arguments go to pytest: ``nox -- tests`` runs the whole suite in every session. A session
without its interpreter on this machine is left out, unless CI says otherwise.
"""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

# Django 6.0 needs Python 3.12.
VERSIONS = [
    ("3.11", "5.2"),
    ("3.12", "5.2"),
    ("3.12", "6.0"),
    ("3.12", "6.1"),
    ("3.13", "5.2"),
    ("3.13", "6.0"),
    ("3.13", "6.1"),
    ("3.14", "5.2"),
    ("3.14", "6.1"),
]

# What needs no server, and finds what a new version breaks.
FAST = ["-m", "not slow"]


@nox.session
@nox.parametrize("python,django", VERSIONS)
def tests(session: nox.Session, django: str) -> None:
    """Run the fast part of the suite, or what the arguments name."""
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("--editable", ".", f"django~={django}.0", *groups)
    session.run("python", "-m", "pytest", *(session.posargs or FAST))
