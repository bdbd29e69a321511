"""What the Dockerfile builds, without Docker: its instructions, run in a folder."""

import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.servers.process import ROOT

# The folders that the Dockerfile names, and that are somewhere else here.
FOLDERS = re.compile(r"(?<![\w./-])/(?=(?:app|src|srv|static|venv)\b)")

# As in the image, it may write where it is allowed to and nowhere else. It may read everything:
# there is no saying in whose home the interpreter is.
NOBODY = "nobody"
AS_NOBODY = [
    *["setpriv", "--pdeathsig=KILL", f"--reuid={NOBODY}", "--regid=nogroup", "--clear-groups"],
    *["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", "--"],
]


class Stage(NamedTuple):
    """One image of the Dockerfile, or the one that the others copy from."""

    base: str
    instructions: list[tuple[str, str]]

    def all(self, instruction: str) -> list[str]:
        return [arguments for name, arguments in self.instructions if name == instruction]


def stages() -> dict[str, Stage]:
    found = {}
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        if not line or line.startswith("#"):
            continue
        instruction, arguments = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _as, name = arguments.split()
            found[name] = stage = Stage(base, [])
        else:
            stage.instructions.append((instruction, arguments))
    return found


class Image:
    """The node of the Dockerfile, and the static files that its nginx serves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages = stages()

    def build(self) -> None:
        """Run what is run while an image is built, but for the node's `useradd`."""
        build, node, nginx = (self._stages[name] for name in ("build", "node", "nginx"))
        copies = [arguments for stage in (node, nginx) for arguments in stage.all("COPY")]
        lines = [_as_shell(*instruction) for instruction in build.instructions]
        lines += [_copy(each) for each in copies if each.startswith("--from=build ")]
        done = subprocess.run(
            ["sh", "-e", "-c", self._here("\n".join(lines))],
            cwd=self._folder,
            env=_environment_of_build(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    @property
    def static(self) -> Path:
        return self._folder / "srv" / "static"

    def environment(self, of_service: Mapping[str, str]) -> dict[str, str]:
        """Return what a process in the image gets from Dockerfile and service."""
        env = {"PATH": os.environ["PATH"]}
        for item in shlex.split(self._here(" ".join(self._stages["node"].all("ENV")))):
            name, _, value = item.partition("=")
            env[name] = string.Template(value).substitute(env)
        return {**env, **of_service}

    def command(self, of_service: list[str]) -> list[str]:
        """Return how to run a command as the image does: where, and as somebody else."""
        (workdir,) = self._stages["node"].all("WORKDIR")
        who = AS_NOBODY if os.geteuid() == 0 else []
        return ["env", f"--chdir={self._here(workdir)}", *who, *of_service]

    def give(self, volume: Path) -> None:
        """Let the processes of the image write to a folder."""
        if os.geteuid() == 0:
            shutil.chown(volume, NOBODY)

    def _here(self, text: str) -> str:
        return FOLDERS.sub(f"{self._folder}/", text)


def _as_shell(instruction: str, arguments: str) -> str:
    match instruction:
        case "RUN":
            return arguments
        case "ENV":
            return f"export {arguments}"
        case "WORKDIR":
            return f"mkdir -p {arguments}; cd {arguments}"
        case "COPY":
            return _copy(arguments)
    raise AssertionError(f"the build stage has learnt to {instruction}")


def _copy(arguments: str) -> str:
    *sources, target = arguments.split()
    if sources[0].startswith("--from="):
        del sources[0]
    else:
        sources = [str(ROOT / source) for source in sources]
    if sources == [target]:
        return ":"  # from one stage to the same place in another, which is one folder here
    return f"mkdir -p $(dirname {target}); cp -r {' '.join(sources)} {target}"


def _environment_of_build() -> dict[str, str]:
    kept_out = ("DJANGO_SETTINGS_MODULE", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if name not in kept_out}
    return env | {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
