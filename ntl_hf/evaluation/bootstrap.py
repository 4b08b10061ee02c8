"""Scores, whose intervals are of the percentile bootstrap over examples (Efron 1979): one engine for every metric.

A metric is a function of columns. Given a column as `[rows, n]` it answers for n samples at once, so the value itself
(n = 1) and the resamples go through the same code, and a thousand resamples cost a few calls.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Statistic = Callable[..., Array]
"""From columns, each `[rows, n]`, to `[n]` values; may return NaN and infinities."""
# Cells of a column that are resampled at once: 4 MB of float64, which stays in the cache.
_CELLS = 500_000


@dataclass(frozen=True)
class Score:
    """A metric's value and its interval.

    Attributes:
        value: the metric, or a count; NaN where it is undefined.
        low: the lower end of its interval; None where there is none (counts, undefined metrics, resamples that all
            say the same).
        high: the upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Bootstrap(TypedDict, total=False):
    """How intervals are made: the options of `score`."""

    confidence: float
    resamples: int
    seed: int


def score(
    statistic: Statistic,
    columns: Sequence[Array],
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """A metric with its interval.

    No interval where the metric is undefined, and none where all resamples agree (one row, every answer right): the
    bootstrap then knows nothing about the spread, and [1, 1] would claim certainty.

    Args:
        statistic: the metric.
        columns: what it is taken over, `[rows]` each, all of one length.
        confidence: coverage of the interval, between 0 and 1.
        resamples: of the rows; 0 gives no interval.
        seed: equal seeds give equal intervals, and metrics over the same rows the same resamples.

    Raises:
        ValueError: a setting is out of range.
    """
    check_bootstrap(confidence, resamples)
    rows = len(columns[0])
    value = float(_evaluate(statistic, columns, np.arange(rows)[:, None])[0]) if rows else math.nan
    if math.isnan(value) or not resamples:
        return Score(value)
    generator, batch = np.random.default_rng(seed), max(1, _CELLS // rows)
    sizes = [min(batch, resamples - start) for start in range(0, resamples, batch)]
    draws = [_evaluate(statistic, columns, generator.integers(rows, size=(rows, size))) for size in sizes]
    return Score(value, *_percentiles(np.concatenate(draws), confidence))


def check_bootstrap(confidence: float, resamples: int) -> None:
    """Raise `ValueError` for settings that are out of range."""
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be between 0 and 1, such as 0.95, not {confidence}.")
    if resamples < 0:
        raise ValueError(f"`resamples` must be 0 (no intervals) or more, not {resamples}.")


def check_lengths(**columns: Sequence[Any] | None) -> None:
    """Raise `ValueError` for columns of different lengths, which it names; None is no column."""
    lengths = {name.replace("_", " "): len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise ValueError(f"There must be one of each for every row, not {found}.")


def mean(column: Array) -> Array:
    """The plain mean, as a statistic."""
    return np.asarray(column.mean(axis=0))


def ratio(sums: Array, counts: Array) -> Array:
    """A mean over what the rows have several of, as a statistic: sum of sums over sum of counts."""
    return np.asarray(sums.sum(axis=0) / counts.sum(axis=0))


def _evaluate(statistic: Statistic, columns: Sequence[Array], indices: Array) -> Array:
    """The metric for every column of row indices, `[rows, n]` to `[n]`; NaN where it is undefined or overflows."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # Constant or huge columns are answered with NaN; a warning for each resample would add nothing.
        warnings.simplefilter("ignore")
        values = np.asarray(statistic(*(column.take(indices) for column in columns)), dtype=float)
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


def to_json(scores: Mapping[str, Score]) -> dict[str, dict[str, float | None]]:
    """Plain dictionaries that any JSON reader takes: NaN, which JSON does not know, becomes None."""
    return {name: {key: _finite(number) for key, number in asdict(each).items()} for name, each in scores.items()}


def from_json(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, Score]:
    """The way back from `to_json`."""
    return {
        name: Score(math.nan if each["value"] is None else each["value"], each["low"], each["high"])
        for name, each in scores.items()
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
