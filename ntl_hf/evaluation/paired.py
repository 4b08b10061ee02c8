"""Two runs on the same rows: the difference of a metric with its interval, and McNemar's test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bootstrap import Array, Resampling, Sample, mean, score
from .libraries import library
from .number_metrics import CHARGED, as_columns, is_right, metric_columns
from .regression import METRICS
from .score import Score


@dataclass(frozen=True)
class PairedDifference:
    """A metric of two runs over the same rows.

    Attributes:
        metric: its name.
        rows: how many rows entered.
        baseline, other: the metric of each run over these rows.
        difference: other - baseline, with its interval; an interval without 0 is a difference beyond chance.
    """

    metric: str
    rows: int
    baseline: float
    other: float
    difference: Score


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test.

    Attributes:
        only_baseline, only_other: rows that one run alone has right.
        p_value: two-sided, of the hypothesis that both are equally often right; 1 where they never differ.
    """

    only_baseline: int
    only_other: int
    p_value: float


def paired_bootstrap(
    metric: str,
    baseline: Sequence[float | None],
    other: Sequence[float | None],
    targets: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """The difference of a number metric between two runs, each resample drawing the same rows for both.

    Args:
        metric: a name from `score_numbers` that is no count. A `_charged` one uses all rows; another error metric or
            correlation only the rows that both runs answered readably, or the runs would be scored on different rows.
        baseline, other: predicted numbers of the two runs, in the same order of rows.
        targets: the true numbers.
        confidence, resamples, seed: of the bootstrap over rows.

    Raises:
        ValueError: an unknown metric, lengths differ, or a target is not finite.
    """
    first, true = as_columns(baseline, targets)
    second, _ = as_columns(other, targets)
    resampling = Resampling(confidence, resamples, seed)
    if metric == "unreadable":
        return _mean_difference(metric, np.isnan(first), np.isnan(second), resampling)
    if metric == "number_accuracy":
        return _mean_difference(metric, is_right(first, true), is_right(second, true), resampling)
    return _error_difference(metric, first, second, true, resampling)


def paired_mean(
    baseline: Sequence[float],
    other: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """The same for the mean of any value per row, such as right or wrong as a sequence.

    Raises:
        ValueError: lengths differ.
    """
    _check_same_rows(baseline, other)
    columns = np.array(baseline, dtype=float), np.array(other, dtype=float)
    return _mean_difference("mean", *columns, Resampling(confidence, resamples, seed))


def mcnemar(baseline_right: Sequence[bool], other_right: Sequence[bool]) -> McNemar:
    """McNemar's exact test (McNemar 1947) on which rows each run has right.

    Raises:
        ValueError: lengths differ.
    """
    _check_same_rows(baseline_right, other_right)
    pairs = list(zip(baseline_right, other_right, strict=True))
    only_baseline = sum(bool(first and not second) for first, second in pairs)
    only_other = sum(bool(second and not first) for first, second in pairs)
    differ = only_baseline + only_other
    # Under the hypothesis, either run is as likely to be the right one where they differ.
    p_value = float(library("scipy.stats").binomtest(only_other, differ, 0.5).pvalue) if differ else 1.0
    return McNemar(only_baseline, only_other, p_value)


def _check_same_rows(baseline: Sequence[float], other: Sequence[float]) -> None:
    if len(baseline) != len(other):
        raise ValueError(f"the runs have {len(baseline)} and {len(other)} rows: compare them on the same rows")


def _mean_difference(name: str, first: Array, second: Array, resampling: Resampling) -> PairedDifference:
    return _difference(name, mean, (first.astype(float),), (second.astype(float),), resampling)


def _error_difference(
    name: str, first: Array, second: Array, targets: Array, resampling: Resampling
) -> PairedDifference:
    base, charged = name.removesuffix(CHARGED), name.endswith(CHARGED)
    if base not in METRICS or (charged and not METRICS[base].per_row):
        known = ", ".join(METRICS)
        raise ValueError(f"unknown metric '{name}': number_accuracy, unreadable, {known}, or an error{CHARGED}")
    metric = METRICS[base]
    first, true = metric_columns(metric, first, targets, charged)
    second, _ = metric_columns(metric, second, targets, charged)
    enters = ~np.isnan(first) & ~np.isnan(second)
    true = true[enters]
    return _difference(name, metric.function, (first[enters], true), (second[enters], true), resampling)


def _difference(
    name: str,
    statistic: Callable[..., Array],
    first: tuple[Array, ...],
    second: tuple[Array, ...],
    resampling: Resampling,
) -> PairedDifference:
    def other_minus_baseline(*columns: Array) -> Array:
        return np.asarray(statistic(*columns[len(first) :]) - statistic(*columns[: len(first)]))

    plain = replace(resampling, resamples=0)
    return PairedDifference(
        metric=name,
        rows=len(first[0]),
        baseline=score(Sample(statistic, first), plain).value,
        other=score(Sample(statistic, second), plain).value,
        difference=score(Sample(other_minus_baseline, first + second), resampling),
    )
