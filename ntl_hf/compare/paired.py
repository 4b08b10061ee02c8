"""Paired tests of two variants: over seeds, and over the rows that both have answered.

`ntl_hf.evaluation` resamples the rows of one run; here a row stands for its answers of all seeds, of two variants, and
the answers that do not enter are NaN, for they are others in every seed.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation import mcnemar
from ..evaluation.bootstrap import score
from ..evaluation.libraries import library
from ..evaluation.number_metrics import CHARGED, is_right, metric_columns
from ..evaluation.regression import REGRESSION_METRICS
from .results import Floats, Rows

CONFIDENCE = 0.95
# Of the largest value: differences that lie no further apart are equal, but for rounding.
_ROUNDING = 1e-9
# Of squares of at most 1: targets that are equal, but for rounding.
_EQUAL = 1e-24
RESAMPLES = 1000
_SEED = 0
# Rows that are drawn at once: 40 MB.
_CELLS = 5_000_000

Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]
Scorer = Callable[[Indices], Floats]
"""From rows that were drawn, `[resamples, rows]`, to scores `[resamples]`."""

# Share of rows -> which rows have it, and which rows count.
FLAGS: dict[str, Callable[[Rows], tuple[Flags, Flags]]] = {
    "sequence_accuracy": lambda rows: (rows.exact, np.ones(len(rows.row), bool)),
    "number_accuracy": lambda rows: (is_right(rows.number, rows.target), ~np.isnan(rows.target)),
    "unreadable": lambda rows: (np.isnan(rows.number), ~np.isnan(rows.target)),
}


def p_over_seeds(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Two-sided paired t-test; None for a single seed, or where all differences are equal."""
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    # Equal shares have differences that are not: 3/200 - 2/200 and 9/200 - 8/200, hence a p of 1e-32.
    largest = max((abs(value) for value in (*ours, *theirs)), default=0.0)
    if len(changes) < 2 or max(changes) - min(changes) <= _ROUNDING * largest:
        return None
    p = float(library("scipy.stats").ttest_rel(ours, theirs).pvalue)
    return p if math.isfinite(p) else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected for their number (Holm 1979): the chance of any false alarm among them stays below the level."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(order))
    steps = np.arange(len(order), 0, -1) * np.take(p_values, order)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def p_over_rows(metric: str, ours: Rows, theirs: Rows) -> float | None:
    """McNemar's exact test for a share of rows; None for other metrics.

    Raises:
        ValueError: the two have not the same rows.
    """
    _check_same_rows(ours, theirs)
    if metric not in FLAGS:
        return None
    (our_flags, mask), (their_flags, _) = FLAGS[metric](ours), FLAGS[metric](theirs)
    return mcnemar(their_flags[mask].tolist(), our_flags[mask].tolist()).p_value


def scores_on_common_rows(metric: str, ours: Rows, theirs: Rows) -> tuple[float, float] | None:
    """Both in a metric over readable answers, on the rows that both have answered so; None for other metrics.

    Raises:
        ValueError: the two have not the same rows.
    """
    _check_same_rows(ours, theirs)
    if metric not in REGRESSION_METRICS:
        return None
    (first, targets), (second, _) = (_columns(metric, rows, is_charged=False) for rows in (ours, theirs))
    both = ~np.isnan(first) & ~np.isnan(second)
    first_score, second_score = (
        score(REGRESSION_METRICS[metric].function, [given[both], targets[both]], resamples=0).value
        for given in (first, second)
    )
    return first_score, second_score


def interval_over_rows(metric: str, pairs: Sequence[tuple[Rows, Rows]]) -> tuple[float, float] | None:
    """95 % percentile bootstrap interval of the mean difference over seeds, rows resampled.

    A row is drawn with its answers of all seeds and of both variants, for answers to one question are alike.
    Errors are compared on the rows that both variants of a seed have answered readably, unless they are charged.

    Args:
        metric: its name.
        pairs: variant and baseline, one pair a seed.

    Returns:
        The ends; None where the metric has no value a row, where all resamples agree, and where more of them are
        undefined than an interval may miss.

    Raises:
        ValueError: the rows are not the same in all.
    """
    first = pairs[0][0]
    for rows in (rows for pair in pairs for rows in pair):
        _check_same_rows(rows, first)
    seeds = [differences(metric, ours, theirs) for ours, theirs in pairs]
    if not len(first.row) or any(seed is None for seed in seeds):
        return None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        # Samples without an answer are NaN, which needs no warning each.
        warnings.simplefilter("ignore")
        drawn = [
            np.mean([seed(sample) for seed in seeds if seed is not None], axis=0)
            for sample in resamples(len(first.row))
        ]
    draws = np.concatenate(drawn)
    defined = draws[np.isfinite(draws)]
    if len(defined) < CONFIDENCE * len(draws) or np.ptp(defined) == 0:
        return None
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _check_same_rows(ours: Rows, theirs: Rows) -> None:
    same = np.array_equal(ours.row, theirs.row) and np.array_equal(ours.target, theirs.target, equal_nan=True)
    if not same:
        raise ValueError(
            "Two cells were evaluated on different rows, so that they cannot be compared: remove their folders "
            "`evaluation` and run the command again."
        )


def resamples(rows: int) -> Iterator[Indices]:
    """The rows that are drawn, `[resamples, rows]` in parts; equal for equal numbers of rows."""
    generator, size = np.random.default_rng(_SEED), max(1, _CELLS // rows)
    for start in range(0, RESAMPLES, size):
        yield generator.integers(rows, size=(min(size, RESAMPLES - start), rows))


def differences(metric: str, ours: Rows, theirs: Rows) -> Scorer | None:
    """Ours minus theirs in a metric, as a function of the rows; None for a metric that rows do not have."""
    base, is_charged = metric.removesuffix(CHARGED), metric.endswith(CHARGED)
    if metric in FLAGS:
        flags = [np.where(mask, values, np.nan) for values, mask in (FLAGS[metric](rows) for rows in (ours, theirs))]
        return lambda sample: _mean(flags[0][sample]) - _mean(flags[1][sample])
    if base not in _SCORERS:
        return None
    scorer = _SCORERS[base]
    (first, targets), (second, _) = (_columns(base, rows, is_charged) for rows in (ours, theirs))
    targets = np.where(np.isnan(first) | np.isnan(second), np.nan, targets)
    return lambda sample: scorer(first[sample], targets[sample]) - scorer(second[sample], targets[sample])


def _columns(metric: str, rows: Rows, is_charged: bool) -> tuple[Floats, Floats]:
    """Numbers and targets as the metric wants them, in their rows; NaN where there is none."""
    known = ~np.isnan(rows.target)
    columns = np.full((2, len(rows.row)), np.nan)
    columns[:, known] = metric_columns(REGRESSION_METRICS[metric], rows.number[known], rows.target[known], is_charged)
    return columns[0], columns[1]


def _mean(values: Floats) -> Floats:
    return np.asarray(np.nanmean(values, axis=1))


def _r2(given: Floats, targets: Floats) -> Floats:
    # R2 does not change when both are scaled; without it the squares of 1e200 overflow.
    scale = np.nanmax(np.abs(targets), axis=1, keepdims=True)
    spread = np.nansum(((targets - np.nanmean(targets, axis=1, keepdims=True)) / scale) ** 2, axis=1)
    return np.asarray(
        1 - np.nansum(((given - targets) / scale) ** 2, axis=1) / np.where(spread > _EQUAL, spread, np.nan)
    )


# From predicted numbers and targets, `[resamples, rows]` each, NaN where a row does not enter.
_SCORERS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "mae": lambda given, targets: _mean(np.abs(given - targets)),
    "log_mae": lambda given, targets: _mean(np.abs(given - targets)),
    "mse": lambda given, targets: _mean((given - targets) ** 2),
    "rmse": lambda given, targets: np.sqrt(_mean((given - targets) ** 2)),
    "mape": lambda given, targets: _mean(np.abs(given - targets) / np.abs(targets)),
    "median_ae": lambda given, targets: np.asarray(np.nanmedian(np.abs(given - targets), axis=1)),
    "r2": _r2,
    "log_r2": _r2,
}
