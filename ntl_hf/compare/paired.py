"""Paired tests of two variants: over seeds, and over the rows that both have answered."""

import math
from collections.abc import Sequence

import numpy as np

from ..evaluation import mcnemar
from ..evaluation.libraries import library
from .results import Rows
from .rowwise import FLAGS, common_scores, differences, resamples

CONFIDENCE = 0.95
# Of the largest value: differences that lie no further apart are equal, but for rounding.
_ROUNDING = 1e-9


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
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


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
    return common_scores(metric, ours, theirs)


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
    with np.errstate(all="ignore"):
        drawn = [
            np.mean([seed(weights) for seed in seeds if seed is not None], axis=0)
            for weights in resamples(len(first.row))
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
