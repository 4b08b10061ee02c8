"""Percentile bootstrap over examples (Efron 1979): one engine for every metric.

A metric is a function of columns. Given a column as `[rows, n]` it answers for n samples at once, so the value itself
(n = 1) and the resamples go through the same code, and a thousand resamples cost a few calls.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .score import Score

Array = npt.NDArray[Any]
# Cells of a column that are resampled at once: 4 MB of float64, which stays in the cache.
_CELLS = 500_000


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    Attributes:
        confidence: coverage of the interval, between 0 and 1.
        resamples: number of resamples; 0 for no intervals.
        seed: equal seeds give equal intervals, and metrics over the same rows the same resamples.

    Raises:
        ValueError: a setting is out of range.
    """

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}, but has to be between 0 and 1, such as 0.95")
        if self.resamples < 0:
            raise ValueError(f"resamples is {self.resamples}, but has to be 0 (no intervals) or more")


@dataclass(frozen=True)
class Sample:
    """A metric and the rows that it is taken over.

    Attributes:
        statistic: from the columns, each `[rows, n]`, to `[n]` values; may return NaN and infinities.
        columns: `[rows]` each, all of one length.
    """

    statistic: Callable[..., Array]
    columns: tuple[Array, ...]

    @property
    def rows(self) -> int:
        return len(self.columns[0])


def mean(column: Array) -> Array:
    """The plain mean, as a statistic."""
    return np.asarray(column.mean(axis=0))


def score(sample: Sample, resampling: Resampling) -> Score:
    """The metric with its interval.

    No interval where the metric is undefined, and none where all resamples agree (one row, every answer right): the
    bootstrap then knows nothing about the spread, and [1, 1] would claim certainty.
    """
    value = float(_evaluate(sample, np.arange(sample.rows)[:, None])[0]) if sample.rows else math.nan
    if math.isnan(value) or not resampling.resamples:
        return Score(value)
    return Score(value, *_percentiles(_draws(sample, resampling), resampling.confidence))


def _draws(sample: Sample, resampling: Resampling) -> Array:
    """The metric of every resample, `[resamples]`."""
    generator = np.random.default_rng(resampling.seed)
    batch = max(1, _CELLS // sample.rows)
    sizes = [min(batch, resampling.resamples - start) for start in range(0, resampling.resamples, batch)]
    drawn = (generator.integers(sample.rows, size=(sample.rows, size)) for size in sizes)
    return np.concatenate([_evaluate(sample, indices) for indices in drawn])


def _evaluate(sample: Sample, indices: Array) -> Array:
    """The metric for every column of row indices, `[rows, n]` to `[n]`; NaN where it is undefined or overflows."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # Constant or huge columns are answered with NaN; a warning for each resample would add nothing.
        warnings.simplefilter("ignore")
        values = np.asarray(sample.statistic(*(column.take(indices) for column in sample.columns)), dtype=float)
    return np.where(np.isfinite(values), values, np.nan)


def _percentiles(draws: Array, confidence: float) -> tuple[float | None, float | None]:
    """The middle `confidence` of the draws."""
    defined = draws[~np.isnan(draws)]
    # A metric may be undefined on a few resamples (R2 when all targets drawn are equal). Where that happens more often
    # than the interval is allowed to miss, what is left would not have the stated coverage.
    if len(defined) < confidence * len(draws) or np.ptp(defined) == 0:
        return None, None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
