"""Number metrics: by hand, against the libraries, and where they are undefined."""

import math
import warnings
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from ntl_hf.evaluation import Score, number_right, score_numbers

COUNTS = ("number_rows", "readable_rows", "mape_rows")
CHARGED = tuple(f"{name}_charged" for name in ("mae", "mse", "rmse", "r2", "median_ae", "log_mae", "log_r2"))
ERRORS = ("mae", "mse", "rmse", "median_ae", "log_mae", "mape")
# Numbers of an ordinary size, so that no square overflows and none is lost beside another.
NUMBER = st.integers(-10_000, 10_000).map(lambda number: number / 8)
ROWS = st.lists(st.tuples(st.none() | NUMBER, NUMBER), min_size=1, max_size=30)


def values(predicted: Sequence[float | None], targets: Sequence[float]) -> dict[str, float]:
    return {name: score.value for name, score in score_numbers(predicted, targets, resamples=0).items()}


def test_by_hand() -> None:
    # Targets 0, 9, 99, -1; errors of the readable three: 0 - 0 = 0, 99 - 9 = 90, 96 - 99 = -3.
    got = values([0, 99, 96, None], [0, 9, 99, -1])
    assert (got["number_rows"], got["readable_rows"], got["mape_rows"]) == (4, 3, 2)
    assert got["unreadable"] == 1 / 4
    assert got["number_accuracy"] == 1 / 4
    assert got["mae"] == pytest.approx(93 / 3)
    assert got["mse"] == pytest.approx((90**2 + 3**2) / 3)
    assert got["median_ae"] == 3
    # The mean of 0, 9, 99 is 36; 36^2 + 27^2 + 63^2 = 5994; 1 - 8109 / 5994.
    assert got["r2"] == pytest.approx(1 - 8109 / 5994)
    # Without the row of target 0: 90 / 9 and 3 / 99.
    assert got["mape"] == pytest.approx((10 + 1 / 33) / 2)
    # log10(|x| + 1): targets 0, 1, 2; predicted 0, 2, log10(97).
    last = 2 - math.log10(97)
    assert got["log_mae"] == pytest.approx((0 + 1 + last) / 3)
    assert got["log_r2"] == pytest.approx(1 - (1 + last**2) / 2)
    # Ranks 1, 2, 3 against 1, 3, 2: 1 - 6 * 2 / (3 * 8).
    assert got["spearman"] == pytest.approx(0.5)


def test_unreadable_answers_are_charged_the_far_end_of_the_range() -> None:
    # Range -1 to 99. The far end is 99 for target -1 and -1 for target 60: errors 0, 100, 61.
    got = values([99, None, None], [99, -1, 60])
    assert got["mae"] == 0
    assert got["mae_charged"] == pytest.approx(161 / 3)
    assert got["mse_charged"] == pytest.approx((100**2 + 61**2) / 3)
    assert got["median_ae_charged"] == 61
    assert got["mape_charged"] == pytest.approx((100 / 1 + 61 / 60) / 3)
    # The mean is 158 / 3.
    total = sum((target - 158 / 3) ** 2 for target in (99, -1, 60))
    assert got["r2_charged"] == pytest.approx(1 - (100**2 + 61**2) / total)


def test_log_metrics_are_charged_on_the_log_scale() -> None:
    # On the plain scale 99 is further from 40 than 0 is; on the log scale 0 is (log10(41) = 1.61 against 0.39).
    got = values([0, 99, None], [0, 99, 40])
    assert got["mae_charged"] == pytest.approx(59 / 3)
    assert got["log_mae_charged"] == pytest.approx(math.log10(41) / 3)


def test_charging_changes_nothing_where_all_is_readable() -> None:
    got = values([1, 5, 7.5], [1, 4, 9])
    assert [got[name] for name in CHARGED] == [got[name.removesuffix("_charged")] for name in CHARGED]


def test_against_the_libraries() -> None:
    generator = np.random.default_rng(3)
    targets = np.round(generator.normal(0, 500, 400))
    predicted = targets + np.round(generator.normal(0, 80, 400))
    got = values([*predicted, None], [*targets, 0])
    log = [np.sign(x) * np.log10(np.abs(x) + 1) for x in (targets, predicted)]
    kept = targets != 0
    expected = {
        "mae": metrics.mean_absolute_error(targets, predicted),
        "mse": metrics.mean_squared_error(targets, predicted),
        "rmse": metrics.root_mean_squared_error(targets, predicted),
        "r2": metrics.r2_score(targets, predicted),
        "median_ae": metrics.median_absolute_error(targets, predicted),
        "log_mae": metrics.mean_absolute_error(*log),
        "log_r2": metrics.r2_score(*log),
        "mape": metrics.mean_absolute_percentage_error(targets[kept], predicted[kept]),
        "pearson": stats.pearsonr(targets, predicted).statistic,
        "spearman": stats.spearmanr(targets, predicted).statistic,
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_right_up_to_float_rounding_and_no_further() -> None:
    assert number_right([0.1 + 0.2, 1 / 3, 1e300, -0.0], [0.3, 0.3333333333333, 1e300, 0]) == [True] * 4
    wrong = [(0.3001, 0.3), (999_999_999_998, 999_999_999_999), (2.0**52 + 1, 2.0**52), (1e-20, 0), (2e-20, 1e-20)]
    assert number_right([given for given, _ in wrong], [true for _, true in wrong]) == [False] * 5
    assert number_right([None, math.nan, math.inf], [1, 1, 1]) == [False] * 3


def test_no_number_that_is_not_finite_is_readable() -> None:
    got = values([math.nan, math.inf, -math.inf, None], [1, 2, 3, 4])
    assert got["readable_rows"] == 0
    assert got["unreadable"] == 1
    assert got["number_accuracy"] == 0


UNDEFINED: dict[str, tuple[list[float | None], list[float], set[str]]] = {
    "no rows": ([], [], {"mae", "r2", "number_accuracy", "unreadable", "mae_charged", "pearson", "mape"}),
    "nothing readable": ([None, None], [1, 2], {"mae", "mse", "r2", "median_ae", "log_mae", "mape", "spearman"}),
    "one row": ([4], [5], {"r2", "log_r2", "r2_charged", "pearson", "spearman"}),
    "constant targets": ([4, 6], [5, 5], {"r2", "log_r2", "pearson", "spearman"}),
    "constant targets, all right": ([5, 5], [5, 5], {"r2", "r2_charged", "pearson"}),
    "constant targets, one unreadable": ([5, None], [5, 5], {"mae_charged", "median_ae_charged", "log_mae_charged"}),
    "constant answers": ([3, 3], [1, 5], {"pearson", "spearman"}),
    "targets of 0 alone": ([1, 2], [0, 0], {"mape", "mape_charged"}),
    "squares overflow": ([1e300, 0], [0, 1e300], {"mse", "mse_charged"}),
    "errors overflow": ([1e308, -1e308], [-1e308, 1e308], {"mae", "mse"}),
    "far beyond the targets": ([1e300, 2], [1e-300, 2e-300], {"mse", "r2"}),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_what_is_undefined_is_nan_without_interval_or_warning(case: str) -> None:
    predicted, targets, undefined = UNDEFINED[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_numbers(predicted, targets, resamples=50)
    for name in undefined:
        assert str(scores[name]) == str(Score(math.nan)), name


def test_huge_numbers_have_the_metrics_that_exist() -> None:
    # The same as 1, 2, 4 against 1, 2, 3, times 1e300: 1 - 1 / 2.
    got = values([1e300, 2e300, 4e300], [1e300, 2e300, 3e300])
    assert got["r2"] == pytest.approx(0.5)
    assert got["mae"] == pytest.approx(1e300 / 3)
    assert got["pearson"] == pytest.approx(stats.pearsonr([1, 2, 4], [1, 2, 3]).statistic)


def test_tiny_targets_are_not_rounded_away() -> None:
    assert values([2e-20, 1e-20], [1e-20, 1e-20])["mape"] == pytest.approx(0.5)


def test_all_wrong_is_no_crash() -> None:
    got = values([2, 3, 4], [1, 2, 3])
    assert (got["number_accuracy"], got["mae"], got["unreadable"]) == (0, 1, 0)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="2 predictions, 1 targets"):
        score_numbers([1, 2], [1])
    with pytest.raises(ValueError, match="target of row 1 is nan"):
        score_numbers([1, 2], [1, math.nan])


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[float | None, float]], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = (values([given for given, _ in each], [true for _, true in each]) for each in (rows, shuffled))
    assert first == pytest.approx(second, rel=1e-9, abs=1e-9, nan_ok=True)


@given(ROWS, ROWS)
def test_a_mean_over_examples_is_not_a_mean_over_batches(
    first: list[tuple[float | None, float]], second: list[tuple[float | None, float]]
) -> None:
    whole, *parts = (
        values([given for given, _ in rows], [true for _, true in rows]) for rows in (first + second, first, second)
    )
    for name, size in (("number_accuracy", "number_rows"), ("unreadable", "number_rows"), ("mae", "readable_rows")):
        total = sum(part[size] * part[name] for part in parts if part[size])
        assert whole[size] == sum(part[size] for part in parts)
        assert not whole[size] or whole[name] == pytest.approx(total / whole[size])


@given(ROWS, st.lists(st.floats(0, 1), min_size=30, max_size=30))
def test_no_answer_within_the_range_is_worse_than_none(
    rows: list[tuple[float | None, float]], places: list[float]
) -> None:
    targets = [true for _, true in rows]
    low, high = min(targets), max(targets)
    assume(low < high)
    answered = [
        low + place * (high - low) if given is None else given
        for (given, _), place in zip(rows, places[: len(rows)], strict=True)
    ]
    silent, spoken = values([given for given, _ in rows], targets), values(answered, targets)
    for name in ERRORS:
        if not math.isnan(spoken[name]):
            assert silent[f"{name}_charged"] >= spoken[name] * (1 - 1e-9)
    assert silent["r2_charged"] <= spoken["r2"] + 1e-9 * abs(spoken["r2"])


@given(ROWS)
def test_an_unreadable_answer_never_helps(rows: list[tuple[float | None, float]]) -> None:
    """Dropping a right answer lowers the accuracy and raises the charged error."""
    targets = [true for _, true in rows]
    assume(min(targets) < max(targets))
    right = values(list(targets), targets)
    silent = values([None, *targets[1:]], targets)
    assert silent["number_accuracy"] < right["number_accuracy"] == 1
    assert silent["mae_charged"] > right["mae_charged"] == 0
    assert silent["r2_charged"] < right["r2_charged"] == 1
