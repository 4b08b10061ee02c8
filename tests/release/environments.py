"""Environments made from nothing, and commands in them that see nothing of the checkout."""

import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from .artefacts import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
# Whatever could lead a command back to this checkout or to another environment.
_HIDDEN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "NTL_HF_TEST_CACHE")
# DeepSpeed would look for a GPU and build at once; on a CPU it compiles what it needs when it starts.
_SETTINGS = {"HF_HUB_OFFLINE": "1", "DS_BUILD_OPS": "0", "DS_ACCELERATOR": "cpu", "PYTHONSAFEPATH": "1"}


class Environment:
    """A virtual environment.

    Args:
        folder: where it is, or will be.
        work: working directory of its commands.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder.resolve(), work.resolve()
        self.python = self.folder / "bin" / "python"

    @classmethod
    def create(cls, folder: Path, work: Path) -> "Environment":
        """A new one, with pip alone."""
        venv.create(folder, with_pip=True, symlinks=True)
        return cls(folder, work)

    def linked_copy(self, folder: Path) -> "Environment":
        """The same packages elsewhere, in a second: files are shared, and pip replaces files, not contents."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=os.link)
        return Environment(folder, self.work)

    def install(self, *words: str) -> None:
        """pip install, with the versions that the tests were run with."""
        self.run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS), *words)

    def ntl_hf(self, *words: str, code: int = 0) -> str:
        """The command, as it is installed; a linked copy has it under the name of the first environment."""
        return self.run("-m", "ntl_hf.cli.main", *words, code=code)

    def run(self, *words: str, code: int = 0) -> str:
        """Run its Python and return all that was printed.

        Raises:
            SystemExit: another exit code than `code`.
        """
        return run(str(self.python), *words, folder=self.work, code=code)


def run(*command: str, folder: Path, code: int = 0) -> str:
    """Run a command, with nothing in its surroundings that leads to this checkout, and return what it printed.

    Raises:
        SystemExit: another exit code than `code`; with the command and its output.
    """
    surroundings = {key: value for key, value in os.environ.items() if key not in _HIDDEN} | _SETTINGS
    done = subprocess.run(
        command, cwd=folder, env=surroundings, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != code:
        sys.exit(f"exit code {done.returncode} instead of {code}: {' '.join(command)}\n{done.stdout}")
    return done.stdout


class Clock:
    """Prints what was done and how long it took."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def tell(self, what: str) -> None:
        now = time.monotonic()
        print(f"{now - self._since:7.1f} s  {what}", flush=True)
        self._since = now
