"""Two runs on the same rows: differences, their intervals, and McNemar's test."""

import math

import numpy as np
import pytest
from scipy import stats

from ntl_hf.evaluation import mcnemar, paired_bootstrap, paired_mean, score_numbers

TARGETS = [1.0, 2.0, 3.0, 4.0]


def noisy(seed: int, spread: float, rows: int = 400) -> tuple[list[float], list[float]]:
    targets = np.round(np.random.default_rng(0).normal(0, 100, rows))
    noise = np.round(np.random.default_rng(seed).normal(0, spread, rows))
    return list(targets + noise), list(targets)


def test_by_hand() -> None:
    # Errors 0, 1, 0, 2 against 0, 0, 0, 1: accuracy 2/4 and 3/4, MAE 3/4 and 1/4; 1 - 5/5 and 1 - 1/5.
    runs = [1, 3, 3, 6], [1, 2, 3, 5], TARGETS
    accuracy = paired_bootstrap("number_accuracy", *runs)
    assert (accuracy.rows, accuracy.baseline, accuracy.other, accuracy.difference.value) == (4, 0.5, 0.75, 0.25)
    mae = paired_bootstrap("mae", *runs)
    assert (mae.baseline, mae.other, mae.difference.value) == (0.75, 0.25, -0.5)
    r2 = paired_bootstrap("r2", *runs)
    assert (r2.baseline, r2.other, r2.difference.value) == pytest.approx((0, 0.8, 0.8))


@pytest.mark.parametrize("metric", ["mae", "r2", "log_mae", "spearman", "mape"])
def test_only_rows_that_both_answer_are_compared(metric: str) -> None:
    # Rows 0 and 3 are left; a run's own average would take the other's gaps in.
    baseline, other = [1, None, 3, 6], [2, 2, None, 4]
    compared = paired_bootstrap(metric, baseline, other, TARGETS)
    alone = [score_numbers([run[0], run[3]], [1, 4], resamples=0)[metric].value for run in (baseline, other)]
    assert compared.rows == 2
    assert (compared.baseline, compared.other) == pytest.approx(alone, nan_ok=True)


@pytest.mark.parametrize("metric", ["mae_charged", "r2_charged", "log_mae_charged", "unreadable", "number_accuracy"])
def test_metrics_over_all_rows_are_those_of_the_runs(metric: str) -> None:
    baseline, other = [1, None, 3, 6], [2, 2, None, 4]
    compared = paired_bootstrap(metric, baseline, other, TARGETS)
    alone = [score_numbers(run, TARGETS, resamples=0)[metric].value for run in (baseline, other)]
    assert compared.rows == 4
    assert [compared.baseline, compared.other] == pytest.approx(alone)
    assert compared.difference.value == pytest.approx(alone[1] - alone[0])


def test_the_same_rows_are_drawn_for_both() -> None:
    """A run that is better by 1 on every row is so in every resample: no spread, hence no interval."""
    targets = [float(n * n) for n in range(50)]
    baseline, other = [t + 3 + t for t in targets], [t + 2 + t for t in targets]
    assert paired_bootstrap("mae", baseline, other, targets).difference.low is None
    # And with a little noise, far narrower than the two intervals apart.
    other[0] -= 1
    paired = paired_bootstrap("mae", baseline, other, targets).difference
    alone = score_numbers(baseline, targets)["mae"]
    assert paired.low is not None
    assert paired.high is not None
    assert alone.low is not None
    assert alone.high is not None
    assert paired.low <= paired.value <= paired.high < 0
    assert paired.high - paired.low < (alone.high - alone.low) / 100


@pytest.mark.parametrize("metric", ["mae", "r2", "number_accuracy", "median_ae", "pearson"])
def test_a_clear_difference_is_found_and_swaps_its_sign(metric: str) -> None:
    (baseline, targets), (other, _) = noisy(1, 20), noisy(2, 4)
    there = paired_bootstrap(metric, baseline, other, targets, seed=3).difference
    back = paired_bootstrap(metric, other, baseline, targets, seed=3).difference
    assert there.low is not None
    assert there.high is not None
    assert there.low <= there.value <= there.high
    assert there.low > 0 or there.high < 0
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


@pytest.mark.parametrize("metric", ["mae", "r2"])
def test_equal_runs_rarely_differ(metric: str) -> None:
    found = 0
    for seed in range(100):
        (baseline, targets), (other, _) = noisy(2 * seed + 1, 10, rows=200), noisy(2 * seed + 2, 10, rows=200)
        difference = paired_bootstrap(metric, baseline, other, targets, resamples=200).difference
        assert difference.low is not None
        assert difference.high is not None
        found += not difference.low <= 0 <= difference.high
    # 5 to 6 are expected; more than 15 come by chance once in two thousand times.
    assert 0 < found <= 15


def test_the_interval_is_that_of_scipy() -> None:
    (baseline, targets), (other, _) = noisy(1, 10), noisy(2, 8)
    ours = paired_bootstrap("mae", baseline, other, targets, resamples=20_000).difference
    gain = np.abs(np.subtract(other, targets)) - np.abs(np.subtract(baseline, targets))
    theirs = stats.bootstrap((gain,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    interval = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=0.1 * theirs.standard_error)


def test_the_mean_of_any_value_per_row() -> None:
    compared = paired_mean([True, False, False, True], [True, True, False, True])
    assert (compared.rows, compared.baseline, compared.other, compared.difference.value) == (4, 0.5, 0.75, 0.25)


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


def test_no_row_that_both_answer() -> None:
    compared = paired_bootstrap("mae", [None, 2], [1, None], [1, 2])
    assert compared.rows == 0
    assert math.isnan(compared.difference.value)


def test_bad_input_is_named() -> None:
    for name in ("accuracy", "pearson_charged", "number_rows", ""):
        with pytest.raises(ValueError, match=f"unknown metric '{name}': number_accuracy"):
            paired_bootstrap(name, [1], [1], [1])
    with pytest.raises(ValueError, match="1 predicted numbers for 2 targets"):
        paired_bootstrap("mae", [1, 2], [1], [1, 2])
    for test in (mcnemar, paired_mean):
        with pytest.raises(ValueError, match="1 and 2 rows"):
            test([True], [True, False])
