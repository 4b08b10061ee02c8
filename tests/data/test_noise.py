"""Rounded Gaussian noise: its probabilities against draws, and the best possible scores against every other answer."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.best_scores import best_scores
from ntl_hf.data.generated import RoundedGaussian

noises = st.builds(RoundedGaussian, st.floats(0.2, 8), st.integers(-5, 0), st.integers(5, 20))
values = st.floats(-8, 24)


def draws(noise, value, count=40_000):
    rng = random.Random(f"draws of {value}")
    return np.array([noise.draw(rng, value) for _ in range(count)])


@given(noise=noises, value=values)
def test_probabilities_are_of_all_numbers(noise, value):
    likely = noise.probabilities(value)
    assert len(likely) == noise.highest - noise.lowest + 1
    assert min(likely) >= 0 and sum(likely) == pytest.approx(1)


@pytest.mark.parametrize("value", [4.0, 5.3, 9.6, 12.0])
def test_probabilities_are_the_shares_of_the_draws(value):
    noise = RoundedGaussian(1.5, 0, 10)
    drawn = draws(noise, value)
    for number, p in enumerate(noise.probabilities(value)):
        assert np.mean(drawn == number) == pytest.approx(p, abs=5 * np.sqrt(p / len(drawn)) + 1e-4)


def test_without_noise_numbers_are_rounded_and_clipped():
    noise, rng = RoundedGaussian(0.0, 0, 10), random.Random(0)
    assert [noise.draw(rng, value) for value in (3.4, 3.6, -2, 12.0)] == [3, 4, 0, 10]
    with pytest.raises(ValueError, match="sigma"):
        noise.probabilities(3.0)


@given(noise=noises, value=values)
def test_no_answer_beats_the_best(noise, value):
    """One row, where every answer can be tried."""
    best = best_scores(noise, [value])
    numbers = np.arange(noise.lowest, noise.highest + 1)
    likely = np.array(noise.probabilities(value))
    errors = [(likely * np.abs(numbers - answer)).sum() for answer in numbers]
    squares = [(likely * (numbers - answer) ** 2).sum() for answer in np.linspace(-10, 25, 400)]
    assert best["mae"] == pytest.approx(min(errors), abs=1e-9)
    assert best["mse"] <= min(squares) + 1e-9
    assert best["number_accuracy"] == likely.max()
    assert best["nats"] == pytest.approx(-sum(p * np.log(p) for p in likely if p > 0))


def test_the_best_scores_are_those_of_a_simulation():
    """A thousand rows drawn forty times: answered as well as the draws themselves allow."""
    noise, rng = RoundedGaussian(1.2, 0, 10), random.Random(1)
    rows = [rng.choice([1.0, 2.5, 5.7, 9.0, 9.8]) for _ in range(1000)]
    drawn = np.array([[noise.draw(rng, value) for value in rows] for _ in range(40)])
    by_value = {value: drawn[:, np.array(rows) == value].ravel() for value in set(rows)}
    medians = np.array([np.median(by_value[value]) for value in rows])
    means = np.array([by_value[value].mean() for value in rows])
    modes = np.array([np.bincount(by_value[value]).argmax() for value in rows])

    best = best_scores(noise, rows)
    assert best["mae"] == pytest.approx(np.abs(drawn - medians).mean(), rel=0.02)
    assert best["mse"] == pytest.approx(((drawn - means) ** 2).mean(), rel=0.03)
    assert best["number_accuracy"] == pytest.approx((drawn == modes).mean(), rel=0.02)
    correlation = np.corrcoef(np.tile(means, 40), drawn.ravel())[0, 1]
    assert best["pearson"] == pytest.approx(correlation, abs=0.005)
    assert best["r2"] == pytest.approx(correlation**2, abs=0.01)
    assert best["rmse"] ** 2 == pytest.approx(best["mse"])


@pytest.mark.parametrize("rows", [[], [None, 1.0], [float("nan")], [1.0, float("inf")]])
def test_the_best_scores_need_finite_numbers(rows):
    with pytest.raises(ValueError, match="`values` needs finite numbers, at least one"):
        best_scores(RoundedGaussian(1.0, 0, 10), rows)
