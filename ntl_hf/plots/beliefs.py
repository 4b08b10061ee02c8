"""`DigitBeliefs`: what a model believed of the digits of an evaluation set, and its copy on disk."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
        from .sums import SHAPES

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
        values = {name: _to_json(value) for name, value in asdict(self).items()}
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


def _to_json(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    values = value.astype(object)
    values[~np.isfinite(value)] = None
    return values.tolist()
