"""What generated sets share: rows from a seed, problems held out of training, and noise."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random
from statistics import NormalDist
from typing import Any

from datasets import Dataset, Features, Value

from .sets import NUMERIC_FEATURES, check_split, to_dataset

# Of sets with noise: the value before it.
NOISY_FEATURES = Features({**NUMERIC_FEATURES, "mean": Value("float64")})
HELD_OUT = 10  # one problem in so many is for testing


def generate(
    name: str,
    rows: Mapping[str, int],
    draw_rows: Callable[[str, Random], Iterator[dict[str, Any]]],
    split: str,
    seed: int,
    max_rows: int | None,
    features: Features = NUMERIC_FEATURES,
) -> Dataset:
    """A split of a generated set: the same seed makes the same rows, and the first rows of a longer set.

    Args:
        name: of the set, as errors call it.
        rows: how many each split has. "test" is "interpolate", where there is that.
        draw_rows: yields rows of a split, without end.
        split: which one.
        seed: of all chance.
        max_rows: make no more.
        features: of the columns.

    Raises:
        ValueError: unknown split, or `max_rows` below 1.
    """
    check_split(split, rows, name)
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"`max_rows` must be 1 or more, not {max_rows}.")
    count = rows[split] if max_rows is None else min(rows[split], max_rows)
    drawn = "interpolate" if split == "test" and "interpolate" in rows else split
    return to_dataset(islice(draw_rows(drawn, Random(f"{name.lower()} {drawn} {seed}")), count), features)


def is_held_out(problem: str) -> bool:
    """Decided by a checksum: training and test are disjoint, whatever the seeds, without looking at either."""
    return zlib.crc32(problem.encode()) % HELD_OUT == 0


@dataclass(frozen=True)
class RoundedGaussian:
    """A value plus Gaussian noise, rounded to a whole number and clipped.

    Args:
        sd: standard deviation of the noise, in units of the value; 0 for none.
        lowest, highest: the numbers that there are.
    """

    sd: float
    lowest: int
    highest: int

    def draw(self, random: Random, value: float) -> int:
        """A number for a noise-free value."""
        noise = random.gauss(0.0, self.sd) if self.sd else 0.0
        return min(self.highest, max(self.lowest, round(value + noise)))

    def probabilities(self, value: float) -> list[float]:
        """Of every number from `lowest` to `highest`, for a noise-free value; needs noise."""
        below = NormalDist(value, self.sd).cdf
        edges = [0.0, *(below(number + 0.5) for number in range(self.lowest, self.highest)), 1.0]
        return [right - left for left, right in pairwise(edges)]
