"""Paired tests against hand-worked values, scipy, and resampling one row after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ntl_hf.compare.paired import (
    RESAMPLES,
    differences,
    holm,
    interval_over_rows,
    p_over_rows,
    p_over_seeds,
    resamples,
    scores_on_common_rows,
)
from ntl_hf.evaluation import score_numbers
from tests.compare.rows import make_rows

METRICS = (
    "number_accuracy",
    "unreadable",
    "mae",
    "mse",
    "rmse",
    "median_ae",
    "r2",
    "log_mae",
    "log_r2",
    "mape",
    "mae_charged",
)


def random_rows(seed, targets, unreadable=0.1):
    generator = np.random.default_rng(seed)
    numbers = targets + generator.integers(-3, 4, len(targets))
    return make_rows(np.where(generator.random(len(targets)) < unreadable, np.nan, numbers), targets)


# ---- Over seeds ----


def test_t_test_over_seeds():
    ours, theirs = [1.0, 2.0, 4.0], [0.0, 2.0, 2.0]
    # Differences 1, 0, 2: mean 1, standard deviation 1, t = 1 / (1 / sqrt 3) with two degrees of freedom.
    assert p_over_seeds(ours, theirs) == pytest.approx(2 * stats.t.sf(3**0.5, 2))


@pytest.mark.parametrize(("ours", "theirs"), [([1.0], [0.0]), ([1.0, 2.0], [0.0, 1.0])])
def test_no_test_of_one_seed_or_of_equal_differences(ours, theirs):
    assert p_over_seeds(ours, theirs) is None


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=8),
    st.integers(-1000, 1000),
    st.integers(1, 10_000),
    st.floats(1e-6, 1e6),
)
def test_no_test_of_differences_that_are_equal_but_for_rounding(counts, change, rows, scale):
    # As shares of rows are: the differences of 3, 9, 5 and 2, 8, 4 of 200 are not equal as floats.
    ours, theirs = ([scale * (count + add) / rows for count in counts] for add in (change, 0))
    assert p_over_seeds(ours, theirs) is None


def test_small_differences_beside_large_values_are_tested():
    assert p_over_seeds([1e6, 1e6, 1e6], [1e6 - 1, 1e6 - 2, 1e6 - 1]) < 0.1


def test_holm_by_hand():
    # Sorted .01, .02, .03: times 3, 2, 1; the last one must not fall below the one before.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


# ---- Over rows ----


@pytest.mark.parametrize("metric", METRICS)
def test_every_row_once_gives_the_metric_itself(metric):
    targets = np.array([1.0, 2, 3, 5, 8, 13, 21, 34])
    ours, theirs = random_rows(0, targets, unreadable=0), random_rows(1, targets, unreadable=0)
    difference = differences(metric, ours, theirs)
    scores = [score_numbers(rows.number, targets, resamples=0)[metric].value for rows in (ours, theirs)]
    assert difference(np.arange(8)[None])[0] == pytest.approx(scores[0] - scores[1])


# What an unreadable answer costs is settled on all rows, not on those drawn.
@pytest.mark.parametrize("metric", [metric for metric in METRICS if not metric.endswith("_charged")])
def test_rows_that_are_drawn_again_count_again(metric):
    targets = np.array([1.0, 2, 3, 5, 8, 13])
    ours, theirs = random_rows(2, targets), random_rows(3, targets)
    drawn = np.repeat(np.arange(6), [2, 0, 1, 1, 3, 1])
    repeated = [make_rows(rows.number[drawn], rows.target[drawn]) for rows in (ours, theirs)]
    expected = differences(metric, *repeated)(np.arange(len(drawn))[None])
    assert differences(metric, ours, theirs)(drawn[None]) == pytest.approx(expected)


def test_errors_are_compared_on_rows_that_both_have_answered():
    ours, theirs = make_rows([1, None, 4], [0, 0, 0]), make_rows([3, 100, None], [0, 0, 0])
    assert differences("mae", ours, theirs)(np.arange(3)[None]) == [1 - 3]


def test_rows_without_a_number_do_not_count():
    ours, theirs = make_rows([1, 5], [1, None]), make_rows([2, 5], [1, None])
    assert differences("number_accuracy", ours, theirs)(np.arange(2)[None]) == [1.0]
    assert differences("mae", ours, theirs)(np.arange(2)[None]) == [-1.0]


def test_the_interval_of_a_share_is_that_of_the_binomial():
    # Ours is right in 60 of 100 rows, theirs nowhere: the difference is a share with the known standard error.
    ours, theirs = make_rows([1] * 60 + [0] * 40, [1] * 100), make_rows([0] * 100, [1] * 100)
    low, high = interval_over_rows("number_accuracy", [(ours, theirs)])
    half = 1.96 * (0.6 * 0.4 / 100) ** 0.5
    assert (low, high) == (pytest.approx(0.6 - half, abs=0.02), pytest.approx(0.6 + half, abs=0.02))


def test_seeds_with_equal_answers_do_not_narrow_the_interval():
    targets = np.arange(50.0)
    pair = random_rows(4, targets), random_rows(5, targets)
    assert interval_over_rows("mae", [pair] * 3) == pytest.approx(interval_over_rows("mae", [pair]))


def test_the_interval_is_over_all_seeds():
    ours, theirs = random_rows(4, np.arange(50.0)), random_rows(5, np.arange(50.0))
    assert interval_over_rows("mae", [(ours, theirs)]) is not None
    # The second seed takes back what the first gives, row by row.
    assert interval_over_rows("mae", [(ours, theirs), (theirs, ours)]) is None


def test_the_interval_of_opposite_seeds_by_hand():
    right, errors = [0] * 50, np.arange(50)
    targets = [0] * 50
    worse = make_rows(errors, targets), make_rows(right, targets)
    better = make_rows(right, targets), make_rows(3 * errors, targets)
    # Row by row e and -3 e, -e on average.
    low, high = interval_over_rows("mae", [worse])
    assert interval_over_rows("mae", [worse, better]) == pytest.approx((-high, -low))


@pytest.mark.parametrize("metric", METRICS)
def test_scores_on_common_rows_are_those_of_the_interval(metric):
    targets = np.array([1.0, 2, 3, 5, 8, 13, 21, 34])
    ours, theirs = random_rows(6, targets, unreadable=0.3), random_rows(7, targets, unreadable=0.3)
    scores = scores_on_common_rows(metric, ours, theirs)
    if metric in ("number_accuracy", "unreadable", "mae_charged"):
        assert scores is None
    else:
        assert scores[0] - scores[1] == pytest.approx(differences(metric, ours, theirs)(np.arange(8)[None])[0])


def test_correlations_are_on_common_rows_too():
    ours, theirs = make_rows([1, 2, 3, None], [1, 2, 3, 4]), make_rows([3, 2, 1, 900], [1, 2, 3, 4])
    assert scores_on_common_rows("pearson", ours, theirs) == pytest.approx((1, -1))


def test_no_interval_where_nothing_varies_or_no_row_has_a_value():
    rows = make_rows([1, 2], [1, 2])
    assert interval_over_rows("mae", [(rows, rows)]) is None
    assert interval_over_rows("perplexity", [(rows, rows)]) is None
    nothing = make_rows([None, None], [1, 2])
    assert interval_over_rows("mae", [(nothing, rows)]) is None


def test_resamples_are_whole_and_the_same_each_time(monkeypatch):
    first = np.concatenate(list(resamples(7)))
    assert first.shape == (RESAMPLES, 7) and set(first.flat) == set(range(7))
    assert (first == np.concatenate(list(resamples(7)))).all()
    monkeypatch.setattr("ntl_hf.compare.paired._CELLS", 70)
    assert np.concatenate(list(resamples(7))).shape == first.shape


def test_mcnemar_by_hand():
    # Three rows right in ours alone, none in theirs alone: 2 * (1/2)^3.
    ours, theirs = make_rows([1, 1, 1, 0], [1, 1, 1, 1]), make_rows([0, 0, 0, 0], [1, 1, 1, 1])
    assert p_over_rows("number_accuracy", ours, theirs) == pytest.approx(0.25)
    assert p_over_rows("sequence_accuracy", ours, theirs) == pytest.approx(0.25)
    assert p_over_rows("mae", ours, theirs) is None


def test_other_rows_are_refused():
    ours, theirs = make_rows([1, 2], [1, 2]), make_rows([1, 2], [1, 3])
    with pytest.raises(ValueError, match="different rows"):
        interval_over_rows("mae", [(ours, theirs)])
    with pytest.raises(ValueError, match="different rows"):
        p_over_rows("number_accuracy", ours, theirs)
    with pytest.raises(ValueError, match="different rows"):
        scores_on_common_rows("mae", ours, theirs)
