"""The numbers of the report: mean and spread over seeds, and the paired difference to the baseline."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from .metric_labels import label_of
from .paired import holm, interval_over_rows, p_over_rows, p_over_seeds, scores_on_common_rows
from .plan import Plan
from .results import Evaluation, Result

LEVEL = 0.05


@dataclass
class Difference:
    """A variant minus the baseline in one metric, over the seeds in which it is defined for both.

    A metric over readable answers is that over the rows that both have answered readably, as its interval and its test
    are: over rows of their own, the two ends of a difference would not belong together.

    Attributes:
        seeds: how many there are, `cells` being how many both have finished.
        mean, sd: over seeds; sd is None for a single one.
        p_seeds: paired t-test over seeds.
        p_holm: the same corrected for all comparisons of the report, set when these are known.
        low, high: 95 % interval of the mean when the rows are resampled; None where the metric has no value a row.
        p_rows: McNemar's test over rows, for a share of right answers on a single seed.
    """

    mean: float
    sd: float | None
    seeds: int
    cells: int
    p_seeds: float | None = None
    p_holm: float | None = None
    low: float | None = None
    high: float | None = None
    p_rows: float | None = None

    def is_better(self, name: str) -> bool:
        """Whether the variant is better in this metric, and the corrected test says so."""
        return self.p_holm is not None and self.p_holm < LEVEL and self.mean * label_of(name).better > 0


@dataclass(frozen=True)
class Score:
    """One variant in one metric on one evaluation: mean and sample standard deviation over seeds.

    Attributes:
        values: by seed, where the metric is defined.
        cells: how many seeds are finished, with or without a value.
    """

    evaluation: str
    metric: str
    variant: str
    values: dict[int, float]
    cells: int
    difference: Difference | None = None

    @property
    def mean(self) -> float:
        return fmean(self.values.values())

    @property
    def sd(self) -> float | None:
        return spread(list(self.values.values()))

    @property
    def is_better(self) -> bool:
        """Whether it is better than the baseline, by the corrected test."""
        return self.difference is not None and self.difference.is_better(self.metric)


_Cells = dict[str, dict[int, Evaluation]]
"""By variant and seed."""


def spread(values: Sequence[float]) -> float | None:
    """The sample standard deviation; None for a single value, NaN where one is not finite."""
    if len(values) < 2:
        return None
    return stdev(values) if all(map(math.isfinite, values)) else math.nan


def summarize(plan: Plan, results: Sequence[Result], tested: bool = True) -> list[Score]:
    """All scores, by evaluation, metric and variant; variants without a defined value are left out.

    Args:
        plan: of the comparison.
        results: its finished cells.
        tested: with tests and intervals, which take the predictions of every row.
    """
    scores: list[Score] = []
    for evaluation in plan.evaluations:
        cells: _Cells = {variant: {} for variant in plan.variants}
        for result in results:
            cells[result.variant][result.seed] = result.evaluations[evaluation]
        for name in plan.metrics:
            scores += _summarize_metric(plan.baseline, cells, evaluation, name, tested)
    compared = _compared(scores)
    for difference, p in zip(compared, holm([each.p_seeds or 0.0 for each in compared]), strict=True):
        difference.p_holm = p
    return scores


def count_cells(results: Sequence[Result]) -> Counter[str]:
    """How many seeds of each variant are finished."""
    return Counter(result.variant for result in results)


def count_comparisons(scores: Sequence[Score]) -> int:
    """How many p values over seeds there are, which is what they are corrected for."""
    return len(_compared(scores))


def _compared(scores: Sequence[Score]) -> list[Difference]:
    return [each.difference for each in scores if each.difference and each.difference.p_seeds is not None]


def _summarize_metric(baseline: str, cells: _Cells, evaluation: str, name: str, tested: bool) -> Iterator[Score]:
    for variant, own in cells.items():
        values = {seed: value for seed, each in own.items() if (value := each.metrics.get(name)) is not None}
        if values:
            both = {seed: (each, cells[baseline][seed]) for seed, each in own.items() if seed in cells[baseline]}
            difference = None if variant == baseline else _compare(name, both, tested)
            yield Score(evaluation, name, variant, values, len(own), difference)


def _compare(name: str, both: Mapping[int, tuple[Evaluation, Evaluation]], tested: bool) -> Difference | None:
    """From what a variant and the baseline have in each seed."""
    values = {seed: pair for seed, each in both.items() if (pair := _paired_values(name, *each, tested)) is not None}
    if not values:
        return None
    changes = [ours - theirs for ours, theirs in values.values()]
    difference = Difference(fmean(changes), spread(changes), seeds=len(values), cells=len(both))
    if tested:
        pairs = [(both[seed][0].rows, both[seed][1].rows) for seed in values]
        difference.p_seeds = p_over_seeds(*zip(*values.values(), strict=True))
        difference.low, difference.high = interval_over_rows(name, pairs) or (None, None)
        difference.p_rows = p_over_rows(name, *pairs[0]) if len(pairs) == 1 else None
    return difference


def _paired_values(name: str, ours: Evaluation, theirs: Evaluation, tested: bool) -> tuple[float, float] | None:
    """Of the variant and of the baseline in one seed, where both have one."""
    first, second = ours.metrics.get(name), theirs.metrics.get(name)
    if first is None or second is None:
        return None
    common = scores_on_common_rows(name, ours.rows, theirs.rows) if tested else None
    pair = common or (first, second)
    return pair if all(map(math.isfinite, pair)) else None
