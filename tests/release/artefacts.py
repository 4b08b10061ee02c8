"""The sdist and the wheel of this checkout, built as a release builds them."""

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "ntl_hf"


@dataclass(frozen=True)
class Artefacts:
    """What is uploaded."""

    sdist: Path
    wheel: Path

    @property
    def version(self) -> str:
        return self.wheel.name.split("-")[1]

    def wheel_files(self) -> dict[str, bytes]:
        """Name to content."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def sdist_files(self) -> dict[str, bytes]:
        """Name to content, below the folder that all of it is in."""
        with tarfile.open(self.sdist) as archive:
            files = [member for member in archive.getmembers() if member.isfile()]
            return {file.name.split("/", 1)[1]: archive.extractfile(file).read() for file in files}  # type: ignore[union-attr]

    def metadata(self) -> Message:
        """What an index shows of it: name, version, extras, and the README as the payload."""
        (name,) = (name for name in self.wheel_files() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(self.wheel_files()[name].decode())


def build(folder: Path) -> Artefacts:
    """Build the sdist from the checkout, and the wheel from the sdist: so it is whole.

    Args:
        folder: where both go.

    Raises:
        RuntimeError: it does not build; the message has the end of what was printed.
    """
    # Without hatchling here, `build` fetches it into an environment of its own.
    options = ["--no-isolation"] if find_spec("hatchling") else []
    command = [sys.executable, "-m", "build", *options, "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Artefacts(sdist, wheel)
