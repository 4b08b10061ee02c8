"""Bootstrap intervals: they cover, agree with scipy's, and are absent where they would mislead."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ntl_hf.evaluation import Score, score_numbers
from ntl_hf.evaluation.bootstrap import Array, mean, score
from ntl_hf.evaluation.regression import REGRESSION_METRICS


def test_as_scipy() -> None:
    data = np.random.default_rng(1).exponential(size=300)
    ours = score(mean, [data], 0.9, 20_000, seed=5)
    theirs = stats.bootstrap((data,), np.mean, confidence_level=0.9, n_resamples=20_000, method="percentile", rng=6)
    interval = theirs.confidence_interval
    # Two seeds differ by the noise of a percentile, a few hundredths of the standard error.
    noise = 0.1 * theirs.standard_error
    assert ours.value == pytest.approx(data.mean())
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=noise)


@pytest.mark.parametrize("name", REGRESSION_METRICS)
def test_every_column_is_answered_as_if_alone(name: str) -> None:
    """A resample's metric is the metric of its rows, whatever else is in the batch."""
    generator = np.random.default_rng(2)
    targets = np.round(generator.normal(0, 10, 40)) + 0.5
    predicted = np.round(targets + generator.normal(0, 3, 40))
    indices = generator.integers(40, size=(40, 6))
    function = REGRESSION_METRICS[name].function
    together = function(predicted[indices], targets[indices])
    alone = [function(predicted[rows][:, None], targets[rows][:, None])[0] for rows in indices.T]
    assert together == pytest.approx(alone, rel=1e-12)
    assert len(set(together)) > 1


def test_an_interval_of_95_percent_covers_in_about_95_percent() -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for seed in range(300):
        interval = score(mean, [generator.normal(7, 2, 100)], 0.95, 400, seed)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 7 <= interval.high
    # The binomial's middle 99.9 % at 0.94, the coverage of the percentile bootstrap for 100 rows.
    assert stats.binom(300, 0.94).ppf(0.0005) <= covered <= stats.binom(300, 0.94).ppf(0.9995)


@given(st.lists(st.tuples(st.none() | st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=40))
def test_an_interval_of_a_mean_holds_its_value(rows: list[tuple[int | None, int]]) -> None:
    scores = score_numbers([given for given, _ in rows], [true for _, true in rows], resamples=300)
    for name in ("number_accuracy", "unreadable", "mae", "mse", "log_mae", "mae_charged"):
        low, high, value = scores[name].low, scores[name].high, scores[name].value
        assert (low is None) == (high is None)
        if low is not None and high is not None:
            slack = 1e-9 * max(1, abs(value))
            assert low - slack <= value <= high + slack


def test_a_wider_interval_holds_a_narrower_and_more_rows_narrow_it() -> None:
    data = np.random.default_rng(8).normal(size=4000)

    def width(rows: int, confidence: float) -> float:
        made = score(mean, [data[:rows]], confidence)
        assert made.low is not None
        assert made.high is not None
        return made.high - made.low

    assert width(1000, 0.5) < width(1000, 0.95) < width(1000, 0.99)
    assert width(4000, 0.95) == pytest.approx(width(1000, 0.95) / 2, rel=0.2)


def test_equal_seeds_give_equal_intervals() -> None:
    columns = [np.arange(50.0)]
    assert score(mean, columns, seed=1) == score(mean, columns, seed=1)
    assert score(mean, columns, seed=1) != score(mean, columns, seed=2)


def test_batches_of_resamples_do_not_repeat_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [np.random.default_rng(0).normal(size=50)]
    seen: list[float] = []

    def spy(column: Array) -> Array:
        seen.extend(mean(column))
        return mean(column)

    monkeypatch.setattr("ntl_hf.evaluation.bootstrap._CELLS", 50 * 7)
    score(spy, columns, resamples=100)
    # The value, then 100 resamples, all different.
    assert len(seen) == len(set(seen)) == 101


@pytest.mark.parametrize("column", [[3.0], [1.0] * 20, [0.0] * 20], ids=["one row", "all right", "all wrong"])
def test_resamples_that_all_agree_give_no_interval(column: list[float]) -> None:
    assert score(mean, [np.array(column)]) == Score(column[0])


def _undefined_in(share: float) -> Callable[[Array], Array]:
    """A statistic that is NaN in a share of the resamples, but not for the data."""

    def statistic(column: Array) -> Array:
        result = mean(column)
        if len(result) > 1:
            result[: round(share * len(result))] = np.nan
        return result

    return statistic


def test_an_interval_needs_nearly_all_resamples_to_be_defined() -> None:
    column = np.arange(10.0)
    assert score(_undefined_in(0.04), [column]).low is not None
    assert score(_undefined_in(0.06), [column]) == Score(4.5)


def test_no_resamples_no_interval_and_undefined_no_interval() -> None:
    column = np.arange(10.0)
    assert score(mean, [column], resamples=0) == Score(4.5)
    assert math.isnan(score(mean, [np.array([])]).value)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.5])
def test_a_confidence_is_a_fraction(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        score(mean, [np.arange(3.0)], confidence)


def test_resamples_are_not_negative() -> None:
    with pytest.raises(ValueError, match="0 \\(no intervals\\) or more"):
        score(mean, [np.arange(3.0)], resamples=-1)
