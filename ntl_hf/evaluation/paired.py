"""Two runs on the same rows: McNemar's test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .libraries import library


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test.

    Attributes:
        only_baseline: rows that the baseline alone has right.
        only_other: rows that the other run alone has right.
        p_value: two-sided, of the hypothesis that both are equally often right; 1 where they never differ.
    """

    only_baseline: int
    only_other: int
    p_value: float


def mcnemar(baseline_right: Sequence[bool], other_right: Sequence[bool]) -> McNemar:
    """McNemar's exact test (McNemar 1947) on which rows each run has right.

    Raises:
        ValueError: lengths differ.
    """
    if len(baseline_right) != len(other_right):
        raise ValueError(
            f"the runs have {len(baseline_right)} and {len(other_right)} rows: compare them on the same rows"
        )
    baseline, other = np.array(baseline_right, dtype=bool), np.array(other_right, dtype=bool)
    only_baseline, only_other = int((baseline & ~other).sum()), int((other & ~baseline).sum())
    differ = only_baseline + only_other
    # Under the hypothesis, either run is as likely to be the right one where they differ.
    p_value = float(library("scipy.stats").binomtest(only_other, differ, 0.5).pvalue) if differ else 1.0
    return McNemar(only_baseline, only_other, p_value)
