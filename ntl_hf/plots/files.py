"""Where the pictures and the numbers of an evaluation are kept: `plots/` in the run's folder."""

import re
from pathlib import Path

from .beliefs import DigitBeliefs

FOLDER = "plots"


def numbers_path(folder: Path, beliefs: DigitBeliefs) -> Path:
    """The file of the numbers, `000100-eval.json` for the evaluation "eval" after step 100."""
    # Names of evaluation sets may be paths.
    name = re.sub(r"[^\w.-]", "_", beliefs.prefix)[:60]  # a file's name has 255 bytes at most
    return folder / f"{beliefs.step:06d}-{name}.json"


def save_pictures(folder: Path, beliefs: DigitBeliefs) -> dict[str, Path]:
    """Draw the three pictures as PNGs beside the file of the numbers, and return name and path of each."""
    from .figures import DRAWERS

    folder.mkdir(parents=True, exist_ok=True)
    start = numbers_path(folder, beliefs).stem
    paths = {name: folder / f"{start}-{name}.png" for name in DRAWERS}
    for name, draw in DRAWERS.items():
        draw(beliefs).savefig(paths[name], dpi=100)
    return paths


def load_numbers(folder: Path, every_step: bool = False) -> list[DigitBeliefs]:
    """The numbers that are kept in a folder, ordered by step: the last of each evaluation set, or all of them.

    Raises:
        ValueError: a file cannot be read.
    """
    found = [DigitBeliefs.load(path) for path in sorted(folder.glob("*-*.json"))]
    found.sort(key=lambda beliefs: beliefs.step)
    return found if every_step else list({beliefs.prefix: beliefs for beliefs in found}.values())
