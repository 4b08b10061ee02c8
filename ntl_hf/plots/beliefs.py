"""`DigitBeliefs`: what a model believed of the digits of an evaluation set, and its files in the run's folder."""

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDER = "plots"
DIGITS = 10
# The last one stands for all that follow.
POSITIONS = 8
# Of each digit: row of the confusion; how often it is true. Of each bin of the expected value: count, sum of the
# expected value, sum of the true one. Of each position: count, sum of the error.
SHAPES = ((DIGITS, DIGITS), (DIGITS,), (DIGITS,), (DIGITS,), (DIGITS,), (POSITIONS,), (POSITIONS,))


@dataclass(frozen=True, eq=False)
class DigitBeliefs:
    """Means over the digits of an evaluation set; NaN where there was none.

    Probabilities and expected values are among the ten digits, given the true text before each of them.

    Attributes:
        step: optimizer steps that were taken before.
        prefix: of the metrics of this evaluation, such as "eval".
        distribution: mean predicted distribution over digits, by true digit, `[10, 10]`.
        count: how often each digit was true, `[10]`.
        bin_count: digits whose expected value rounds to 0, ..., 9, `[10]`.
        bin_expected: the mean of their expected values, `[10]`.
        bin_true: the mean of their true values, `[10]`.
        position_count: digits that stand 1st, 2nd, ..., 7th in their number, and 8th or later, `[8]`.
        position_error: the mean of |expected value - true value| of these, `[8]`.
    """

    step: int
    prefix: str
    distribution: Floats
    count: Floats
    bin_count: Floats
    bin_expected: Floats
    bin_true: Floats
    position_count: Floats
    position_error: Floats

    @classmethod
    def from_sums(cls, sums: list[float], step: int, prefix: str) -> "DigitBeliefs":
        """From what `BeliefMeter.read` returns."""
        ends = np.cumsum([math.prod(shape) for shape in SHAPES])
        parts = np.split(np.array(sums), ends[:-1])
        confusion, count, bins, expected, true, positions, error = (
            part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True)
        )
        with np.errstate(invalid="ignore"):
            return cls(
                step,
                prefix,
                distribution=confusion / count[:, None],
                count=count,
                bin_count=bins,
                bin_expected=expected / bins,
                bin_true=true / bins,
                position_count=positions,
                position_error=error / positions,
            )

    def save(self, path: Path) -> None:
        """Write the numbers as JSON, null where they are NaN."""
        values = asdict(self)
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                values[name] = np.where(np.isfinite(value), value, np.array(None)).tolist()
        path.write_text(json.dumps(values) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "DigitBeliefs":
        """Read what `save` wrote.

        Raises:
            ValueError: the file holds something else.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            arrays = {name: np.array(value, dtype=float) for name, value in values.items() if isinstance(value, list)}
            return cls(**{**values, **arrays})
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} does not hold the numbers of an evaluation: {error}") from error


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
