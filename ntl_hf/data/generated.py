"""What generated sets share: rows from a seed, problems held out of training, and noise with known best scores."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
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


def best_scores(noise: RoundedGaussian, values: Iterable[float]) -> dict[str, float]:
    """Expected scores of a model that knows the noise-free values and the noise: nobody's are better, but for luck.

    Each score is of the answer that is best for it: the most likely number (`number_accuracy`), the median (`mae`),
    the conditional mean, which need not be whole (`mse`, `rmse`, `r2`, `pearson`).

    Args:
        noise: which makes the numbers, of an `sd` above 0.
        values: the noise-free values of the rows.

    Returns:
        Scores by the names that an evaluation gives them, over infinitely many draws of the noise, and `nats`, the
        entropy of an answer; `r2` and `pearson` are NaN where all numbers are sure to be the same.

    Raises:
        ValueError: there are no values, or one is None, NaN or infinite.
    """
    # None becomes NaN.
    known = np.array(list(values), dtype=float)
    if not known.size or not np.isfinite(known).all():
        raise ValueError("`values` needs finite numbers, at least one: the noise-free values of the rows.")
    # Rows share noise-free values.
    unique, counts = np.unique(known, return_counts=True)
    average = partial(np.average, weights=counts)
    numbers = np.arange(noise.lowest, noise.highest + 1)
    likely = np.array([noise.probabilities(value) for value in unique.tolist()])  # [values, numbers]
    means = likely @ numbers
    # Without clipping it would be exactly this; with it too, as the noise-free value is the noise's median.
    medians = np.clip(np.round(unique), noise.lowest, noise.highest)
    mse = average(np.sum(likely * (numbers - means[:, None]) ** 2, axis=1))
    explained = average((means - average(means)) ** 2)
    r2 = explained / (explained + mse) if explained + mse else math.nan
    entropies = -np.sum(likely * np.log(likely, where=likely > 0, out=np.zeros_like(likely)), axis=1)
    scores = {
        "number_accuracy": average(likely.max(axis=1)),
        "mae": average(np.sum(likely * np.abs(numbers - medians[:, None]), axis=1)),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": r2,
        "pearson": math.sqrt(r2),
        "nats": average(entropies),
    }
    return {name: float(score) for name, score in scores.items()}
