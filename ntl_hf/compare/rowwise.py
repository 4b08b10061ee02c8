"""Metrics under weights on rows: a resample is how often each row was drawn, which is quick where rows are many.

`ntl_hf.evaluation` resamples the rows of one run; here a row stands for its answers of all seeds, of two variants.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..evaluation.bootstrap import score
from ..evaluation.number_metrics import CHARGED, is_right, metric_columns
from ..evaluation.regression import REGRESSION_METRICS
from .results import Floats, Rows

RESAMPLES = 1000
_SEED = 0
# Weights that are held at once: 40 MB.
_CELLS = 5_000_000

Flags = NDArray[np.bool_]
Scorer = Callable[[Floats], Floats]
"""From weights `[resamples, rows]` to scores `[resamples]`."""
Maker = Callable[[Floats, Floats, Flags], Scorer]
"""From predicted numbers, targets and which rows enter, `[rows]` each."""

# Share of rows -> which rows have it, and which rows count.
FLAGS: dict[str, Callable[[Rows], tuple[Flags, Flags]]] = {
    "sequence_accuracy": lambda rows: (rows.exact, np.ones(len(rows.row), bool)),
    "number_accuracy": lambda rows: (is_right(rows.number, rows.target), ~np.isnan(rows.target)),
    "unreadable": lambda rows: (np.isnan(rows.number), ~np.isnan(rows.target)),
}


def resamples(rows: int) -> Iterator[Floats]:
    """How often each row is drawn, `[resamples, rows]` in parts; equal for equal numbers of rows."""
    size = max(1, _CELLS // rows)
    if size >= RESAMPLES:
        yield _draw_all(rows)
        return
    generator = np.random.default_rng(_SEED)
    for start in range(0, RESAMPLES, size):
        yield _draw(generator, min(size, RESAMPLES - start), rows)


@lru_cache(maxsize=2)
def _draw_all(rows: int) -> Floats:
    """The same for all metrics and variants."""
    return _draw(np.random.default_rng(_SEED), RESAMPLES, rows)


def _draw(generator: np.random.Generator, count: int, rows: int) -> Floats:
    drawn = generator.integers(rows, size=(count, rows))
    return np.stack([np.bincount(each, minlength=rows) for each in drawn]).astype(float)


def differences(metric: str, ours: Rows, theirs: Rows) -> Scorer | None:
    """Ours minus theirs in a metric, as a function of the weights; None for a metric that rows do not have."""
    pair = _flag_pair(metric, ours, theirs) if metric in FLAGS else _number_pair(metric, ours, theirs)
    if pair is None:
        return None
    first, second = pair
    return lambda weights: first(weights) - second(weights)


def common_scores(metric: str, ours: Rows, theirs: Rows) -> tuple[float, float] | None:
    """Ours and theirs on the rows that both have answered readably; None for a metric that is over other rows."""
    if metric not in REGRESSION_METRICS:
        return None
    (first, targets), (second, _) = (_columns(metric, rows, is_charged=False) for rows in (ours, theirs))
    both = ~np.isnan(first) & ~np.isnan(second)
    first_score, second_score = (
        score(REGRESSION_METRICS[metric].function, [given[both], targets[both]], resamples=0).value
        for given in (first, second)
    )
    return first_score, second_score


def _flag_pair(metric: str, ours: Rows, theirs: Rows) -> tuple[Scorer, Scorer]:
    (first, mask), (second, _) = FLAGS[metric](ours), FLAGS[metric](theirs)
    return _mean(first.astype(float), mask), _mean(second.astype(float), mask)


def _number_pair(metric: str, ours: Rows, theirs: Rows) -> tuple[Scorer, Scorer] | None:
    base, is_charged = metric.removesuffix(CHARGED), metric.endswith(CHARGED)
    if base not in _SCORERS:
        return None
    first, targets = _columns(base, ours, is_charged)
    second, _ = _columns(base, theirs, is_charged)
    both = ~np.isnan(first) & ~np.isnan(second)
    make = _SCORERS[base]
    return make(first, targets, both), make(second, targets, both)


def _columns(metric: str, rows: Rows, is_charged: bool) -> tuple[Floats, Floats]:
    """Numbers and targets as the metric wants them, in their rows; NaN where there is none."""
    known = ~np.isnan(rows.target)
    columns = np.full((2, len(rows.row)), np.nan)
    columns[:, known] = metric_columns(REGRESSION_METRICS[metric], rows.number[known], rows.target[known], is_charged)
    return columns[0], columns[1]


def _mean(values: Floats, enters: Flags) -> Scorer:
    # Zeros instead of a selection, which would copy all weights.
    kept, counts = np.where(enters, values, 0), enters.astype(float)
    return lambda weights: weights @ kept / (weights @ counts)


def _mean_of(error: Callable[[Floats, Floats], Floats]) -> Maker:
    return lambda given, targets, enters: _mean(error(given, targets), enters)


def _rmse(given: Floats, targets: Floats, enters: Flags) -> Scorer:
    mean = _squared(given, targets, enters)
    return lambda weights: np.sqrt(mean(weights))


def _r2(given: Floats, targets: Floats, enters: Flags) -> Scorer:
    # R2 does not change when both are shifted and scaled; squares of large numbers would cancel or overflow.
    if not enters.any():
        return _undefined
    centre = targets[enters].mean()
    scale = np.abs(targets[enters] - centre).max() or 1.0
    true = np.where(enters, (targets - centre) / scale, 0)
    squares = np.where(enters, ((given - targets) / scale) ** 2, 0)
    counts = enters.astype(float)

    def score(weights: Floats) -> Floats:
        spread = weights @ true**2 - (weights @ true) ** 2 / (weights @ counts)
        return np.asarray(1 - weights @ squares / np.where(spread > 1e-12, spread, np.nan))

    return score


def _median_ae(given: Floats, targets: Floats, enters: Flags) -> Scorer:
    place = np.flatnonzero(enters)
    errors = np.abs(given - targets)[place]
    order = np.argsort(errors)
    place, ascending = place[order], errors[order]
    if not len(place):
        return _undefined

    def score(weights: Floats) -> Floats:
        reached = weights[:, place].cumsum(axis=1)
        half = reached[:, -1:] / 2
        # Of an even number, the mean of the two in the middle.
        lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
        return np.asarray(np.where(half[:, 0] > 0, (ascending[lower] + ascending[upper]) / 2, np.nan))

    return score


def _undefined(weights: Floats) -> Floats:
    return np.full(len(weights), np.nan)


_squared = _mean_of(lambda given, targets: (given - targets) ** 2)
_absolute = _mean_of(lambda given, targets: np.abs(given - targets))
_SCORERS: dict[str, Maker] = {
    "mae": _absolute,
    "log_mae": _absolute,
    "mse": _squared,
    "rmse": _rmse,
    "mape": _mean_of(lambda given, targets: np.abs(given - targets) / np.abs(targets)),
    "median_ae": _median_ae,
    "r2": _r2,
    "log_r2": _r2,
}
