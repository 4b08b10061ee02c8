"""Two runs on the same rows: McNemar's test."""

import pytest

from ntl_hf.evaluation import mcnemar


def test_mcnemar_by_hand() -> None:
    # They differ in 6 rows, 1 for the baseline: 2 * (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    baseline = [True] + [False] * 5 + [True] * 10 + [False] * 3
    other = [False] + [True] * 5 + [True] * 10 + [False] * 3
    result = mcnemar(baseline, other)
    assert (result.only_baseline, result.only_other) == (1, 5)
    assert result.p_value == pytest.approx(14 / 64)
    assert mcnemar(other, baseline).p_value == pytest.approx(14 / 64)


def test_mcnemar_of_runs_that_never_differ() -> None:
    assert mcnemar([True, False], [True, False]).p_value == 1
    assert mcnemar([], []).p_value == 1


def test_runs_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="the runs have 1 and 2 rows: compare them on the same rows"):
        mcnemar([True], [True, False])
