"""What generated sets share: rows from a seed, problems held out of training, and noise with known best scores."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random
from statistics import NormalDist, fmean, pvariance
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


@dataclass(frozen=True)
class _Prediction:
    """The best that can be said about one number: its moments, and what the best answers to it score."""

    mean: float
    variance: float
    absolute_error: float
    hit: float
    entropy: float


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
    """
    values = list(values)
    # Rows share noise-free values.
    known = {value: _predict(noise, value) for value in set(values)}
    rows = [known[value] for value in values]
    mse = fmean(row.variance for row in rows)
    explained = pvariance([row.mean for row in rows])
    r2 = explained / (explained + mse) if explained + mse else math.nan
    return {
        "number_accuracy": fmean(row.hit for row in rows),
        "mae": fmean(row.absolute_error for row in rows),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": r2,
        "pearson": math.sqrt(r2),
        "nats": fmean(row.entropy for row in rows),
    }


def _predict(noise: RoundedGaussian, value: float) -> _Prediction:
    likely = dict(enumerate(noise.probabilities(value), start=noise.lowest))
    mean = sum(number * p for number, p in likely.items())
    # Without clipping it would be exactly this; with it too, as the noise-free value is the noise's median.
    median = min(noise.highest, max(noise.lowest, round(value)))
    return _Prediction(
        mean,
        sum((number - mean) ** 2 * p for number, p in likely.items()),
        sum(abs(number - median) * p for number, p in likely.items()),
        max(likely.values()),
        -sum(p * math.log(p) for p in likely.values() if p > 0),
    )
