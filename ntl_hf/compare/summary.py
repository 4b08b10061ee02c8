"""What the report says in numbers: mean and spread over seeds, and the paired difference to the baseline."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from .metrics import metric
from .paired import holm, interval_over_rows, p_over_rows, p_over_seeds, scores_on_common_rows
from .plan import Plan
from .results import Evaluation, Result

LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """A variant minus the baseline in one metric, over the seeds in which it is defined for both.

    A metric over readable answers is that over the rows that both have answered readably, as its interval and its test
    are: over rows of their own, the two ends of a difference would not belong together.

    Attributes:
        seeds: how many there are, `cells` being how many both have finished.
        mean, sd: over seeds; sd is None for a single one.
        p_seeds: paired t-test over seeds, and `p_holm`, the same corrected for all comparisons of the report.
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
        return self.p_holm is not None and self.p_holm < LEVEL and self.mean * metric(name).better > 0


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
        return stdev(self.values.values()) if len(self.values) > 1 else None


def summarize(plan: Plan, results: Sequence[Result]) -> list[Score]:
    """All scores, by evaluation, metric and variant; variants without a defined value are left out."""
    scores = [
        score
        for evaluation in plan.evaluations
        for name in plan.metrics
        for score in _summarize_metric(plan, results, evaluation, name)
    ]
    return _correct(scores)


def count_comparisons(scores: Sequence[Score]) -> int:
    """How many p values over seeds there are, which is what they are corrected for."""
    return sum(score.difference is not None and score.difference.p_seeds is not None for score in scores)


def _summarize_metric(plan: Plan, results: Sequence[Result], evaluation: str, name: str) -> list[Score]:
    values: dict[str, dict[int, float]] = {variant: {} for variant in plan.variants}
    for result in results:
        value = result.evaluations[evaluation].metrics.get(name)
        if value is not None:
            values[result.variant][result.seed] = value
    cells = count_cells(results)
    scores = [Score(evaluation, name, variant, own, cells[variant]) for variant, own in values.items() if own]
    return [
        replace(score, difference=_compare(score, values[plan.baseline], results, plan.baseline))
        if score.variant != plan.baseline
        else score
        for score in scores
    ]


def count_cells(results: Sequence[Result]) -> Counter[str]:
    """How many seeds of each variant are finished."""
    return Counter(result.variant for result in results)


def _compare(score: Score, baseline: dict[int, float], results: Sequence[Result], name: str) -> Difference | None:
    by_cell = {(result.variant, result.seed): result.evaluations[score.evaluation] for result in results}
    both = {
        seed: (by_cell[variant, seed], by_cell[name, seed])
        for variant, seed in by_cell
        if variant == score.variant and (name, seed) in by_cell
    }
    values = _paired_values(score, baseline, both)
    if not values:
        return None
    ours, theirs = (list(side) for side in zip(*values.values(), strict=True))
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    pairs = [(both[seed][0].rows, both[seed][1].rows) for seed in values]
    low, high = interval_over_rows(score.metric, pairs) or (None, None)
    return Difference(
        mean=fmean(changes),
        sd=stdev(changes) if len(changes) > 1 else None,
        seeds=len(values),
        cells=len(both),
        p_seeds=p_over_seeds(ours, theirs),
        low=low,
        high=high,
        p_rows=p_over_rows(score.metric, *pairs[0]) if len(pairs) == 1 else None,
    )


def _paired_values(
    score: Score, baseline: dict[int, float], both: Mapping[int, tuple[Evaluation, Evaluation]]
) -> dict[int, tuple[float, float]]:
    """Of the variant and of the baseline, by seed, where both have one."""
    values = {}
    for seed, (ours, theirs) in both.items():
        if seed not in score.values or seed not in baseline:
            continue
        common = scores_on_common_rows(score.metric, ours.rows, theirs.rows)
        pair = (score.values[seed], baseline[seed]) if common is None else common
        if all(map(math.isfinite, pair)):
            values[seed] = pair
    return values


def _correct(scores: list[Score]) -> list[Score]:
    """Put in the corrected p values."""
    tested = [i for i, score in enumerate(scores) if score.difference and score.difference.p_seeds is not None]
    corrected = holm([scores[i].difference.p_seeds for i in tested])  # type: ignore[union-attr, misc]
    for i, p in zip(tested, corrected, strict=True):
        difference = scores[i].difference
        assert difference is not None
        scores[i] = replace(scores[i], difference=replace(difference, p_holm=p))
    return scores
