"""Calibration of predictive distributions of numbers: their score, and how often their interval is right."""

import math
from collections.abc import Sequence

import numpy as np

from ..decoding.distribution import weighted_quantile
from .bootstrap import Bootstrap, Score, check_lengths, mean, score
from .libraries import library

COVERAGE = 0.8
_ENDS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)


def central_interval(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float] | None:
    """The quantiles at 10 and 90 %; None without values.

    Args:
        values: ascending.
        weights: of each, summing to 1.
    """
    if not values:
        return None
    low, high = (weighted_quantile(values, weights, level) for level in _ENDS)
    return low, high


def crps(values: Sequence[float], weights: Sequence[float], true: float) -> float:
    """Continuous ranked probability score E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007), in the values' unit.

    The absolute error where all the weight is on one value.

    Args:
        values: ascending, at least one.
        weights: of each, summing to 1.
        true: y.
    """
    # Half of the squared energy distance to a distribution that is the true number alone.
    return float(library("scipy.stats").energy_distance(values, [true], weights) ** 2 / 2)


def score_distributions(
    values: Sequence[Sequence[float]],
    weights: Sequence[Sequence[float]],
    targets: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Calibration of the rows that have a distribution, with intervals.

    Args:
        values: the numbers of each row, ascending; a row without any is left out.
        weights: of each number, summing to 1 in a row.
        targets: the true numbers, one a row.
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the rows; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        The scores by name.

        - crps: mean of the continuous ranked probability score, in the targets' unit; lower is better.
        - coverage_80: share of rows whose true number lies in the central interval, ends included. Numbers come in
            steps, so that a calibrated model reaches 0.8 or a little more.
        - interval_width_80: mean width of that interval. Narrow is good only where the coverage is right.

        NaN where no row has a distribution.

    Raises:
        ValueError: lengths differ.
    """
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    check_lengths(values=values, weights=weights, targets=targets)
    rows = [row for row in zip(values, weights, targets, strict=True) if len(row[0])]
    columns = np.array([_row(*row) for row in rows]).reshape(-1, 3).T
    names = ("crps", "coverage_80", "interval_width_80")
    return {name: score(mean, [column], **bootstrap) for name, column in zip(names, columns, strict=True)}


def _row(values: Sequence[float], weights: Sequence[float], true: float) -> tuple[float, float, float]:
    low, high = central_interval(values, weights) or (math.nan, math.nan)
    return crps(values, weights, true), float(low <= true <= high), high - low
