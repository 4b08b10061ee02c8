"""Scores of predictive distributions, against their definitions; and the calibration error of digits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf.decoding.distribution import weighted_quantile
from ntl_hf.evaluation import score_distributions
from ntl_hf.evaluation.calibration import central_interval, crps
from ntl_hf.evaluation.teacher_forced import calibration_gaps, score_calibration

PAIRS = st.dictionaries(st.integers(-30, 30), st.integers(1, 9), min_size=1, max_size=8)


def columns(pairs):
    values = sorted(pairs)
    return values, [pairs[value] / sum(pairs.values()) for value in values]


@given(PAIRS, st.integers(-40, 40))
def test_crps_is_the_area_between_the_distribution_and_the_true_step(pairs, true):
    """Its other form, the integral of (F(x) - 1[x >= y])^2, over a grid that has all steps on it."""
    values, weights = columns(pairs)
    grid = np.arange(-41, 41)
    below = np.array([sum(w for v, w in zip(values, weights, strict=True) if v <= x) for x in grid])
    assert crps(values, weights, true) == pytest.approx(((below - (grid >= true)) ** 2).sum(), abs=1e-9)


@given(PAIRS, st.integers(-40, 40))
def test_crps_is_the_mean_distance_less_half_of_that_between_draws(pairs, true):
    values, weights = columns(pairs)
    distance = sum(w * abs(v - true) for v, w in zip(values, weights, strict=True))
    both = [(a, p, b, q) for a, p in zip(values, weights, strict=True) for b, q in zip(values, weights, strict=True)]
    assert crps(values, weights, true) == pytest.approx(distance - sum(p * q * abs(a - b) for a, p, b, q in both) / 2)


@given(PAIRS, st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]))
def test_quantiles_are_numpys_of_the_repeated_values(pairs, level):
    repeated = [value for value, count in pairs.items() for _ in range(count)]
    wanted = np.quantile(repeated, level - 1e-12, method="inverted_cdf")
    assert weighted_quantile(*columns(pairs), level) == wanted


def test_scores_of_rows_by_hand():
    values, weights = [[0, 10], [4], [], [1, 2, 3]], [[0.95, 0.05], [1.0], [], [0.2, 0.6, 0.2]]
    scores = score_distributions(values, weights, [10, 7, 5, 1], resamples=0)
    # Of the first, the 5 % are outside the interval; the third has nothing to score.
    assert scores["coverage_80"].value == pytest.approx(1 / 3)
    assert scores["interval_width_80"].value == pytest.approx((0 + 0 + 2) / 3)
    each = (0.95 * 10 - 0.95 * 0.05 * 10, 3, (0.6 + 0.4) - (0.2 * 0.8 + 0.8 * 0.2))
    assert scores["crps"].value == pytest.approx(sum(each) / 3)


def test_a_calibrated_forecaster_covers_as_often_as_it_says():
    """The truth is drawn from the forecast, which differs from row to row."""
    generator = np.random.default_rng(0)
    means, draws = generator.normal(0, 50, 400), generator.normal(size=(400, 200))
    values = [np.sort(mean + row).tolist() for mean, row in zip(means, draws, strict=True)]
    weights, targets = [[1 / 200] * 200] * 400, means + generator.normal(size=400)
    honest = score_distributions(values, weights, targets.tolist())
    narrow = [[mean + (v - mean) / 4 for v in row] for mean, row in zip(means, values, strict=True)]
    vain = score_distributions(narrow, weights, targets.tolist())
    assert honest["coverage_80"].low <= 0.8 <= honest["coverage_80"].high
    assert vain["coverage_80"].high < 0.5 and honest["crps"].value < vain["crps"].value
    assert honest["interval_width_80"].value == pytest.approx(2 * 1.2816, rel=0.05)


def test_nothing_to_score():
    scores = score_distributions([[]], [[]], [1.0])
    assert all(math.isnan(score.value) for score in scores.values()) and central_interval([], []) is None
    with pytest.raises(ValueError, match="1 values, 0 weights, 1 targets"):
        score_distributions([[1]], [], [1])


def test_digit_gaps_by_hand():
    """Three tokens; a probability on the border of two bins belongs to the lower one."""
    probs = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.85, 0.05]], [[0.25, 0.25, 0.5], [0.2, 0.2, 0.6]]]).double()
    found = calibration_gaps(probs.log(), torch.tensor([[0, 2], [0, -1]]))
    wanted = torch.zeros(2, 10, dtype=torch.float64)
    wanted[0, 4], wanted[0, 8], wanted[1, 4] = 0.5, -0.85, -0.5
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    # 0.5 and -0.5 are in one bin: of two at 50 %, one is right.
    assert score_calibration(found.tolist(), [2, 1], resamples=0).value == pytest.approx(0.85 / 3)


def test_a_calibrated_digit_has_a_small_error_and_a_vain_one_a_large():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 50, 10, generator=generator, dtype=torch.float64) * 2
    labels = torch.multinomial(logits.softmax(-1).view(-1, 10), 1, generator=generator).view(200, 50)
    honest = score_calibration(calibration_gaps(logits, labels).tolist(), [50] * 200)
    vain = score_calibration(calibration_gaps(logits * 4, labels).tolist(), [50] * 200)
    assert honest.value < 0.02 < 0.2 < vain.low < vain.value < vain.high
