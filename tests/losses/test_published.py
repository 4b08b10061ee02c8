"""Ranked probability, energy and kernel scores against values worked by hand and their formulas written out slowly."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from ntl_hf.losses import (
    crps_loss,
    energy_kernel,
    gaussian_kernel,
    kernel_score,
    smoothed_kernel,
)

from .builds import token_loss

VALUES = torch.tensor([0.0, 1.0, 5.0])
BELIEF = torch.tensor([0.5, 0.25, 0.25])


@st.composite
def beliefs(draw: st.DrawFn) -> tuple[list[float], list[float], int]:
    """Values of any spacing, some of them twice (as `5` and ` 5` are), probabilities, and the true column."""
    values = sorted(float(v) for v in draw(st.lists(st.integers(0, 300), min_size=1, max_size=7)))
    weights = draw(st.lists(st.floats(1e-6, 1), min_size=len(values), max_size=len(values)))
    return values, [w / sum(weights) for w in weights], draw(st.integers(0, len(values) - 1))


def logits(probs: list[float]) -> Tensor:
    return torch.tensor([probs], dtype=torch.float64).log()


def expected_distance(values: list[float], probs: list[float], true: int, beta: float) -> float:
    """E|X - y|^beta - E|X - X'|^beta / 2, term by term."""
    to_truth = sum(p * abs(v - values[true]) ** beta for p, v in zip(probs, values, strict=True))
    pairs = product(zip(probs, values, strict=True), repeat=2)
    return to_truth - sum(p * q * abs(v - w) ** beta for (p, v), (q, w) in pairs) / 2


def quadratic(probs: list[float], true: int, kernel: list[list[float]]) -> float:
    """r' K r, term by term."""
    r = [p - (i == true) for i, p in enumerate(probs)]
    return sum(r[i] * kernel[i][j] * r[j] for i in range(len(r)) for j in range(len(r)))


def kernel_of(values: list[float], sigma: float) -> list[list[float]]:
    return [[math.exp(-((v - w) ** 2) / (2 * sigma**2)) for w in values] for v in values]


def roughness(probs: list[float], true: int, kernel: list[list[float]]) -> float:
    """1/2 sum_ij K_ij (r_i - r_j)^2 with its weight 1 / (2 mean degree)."""
    r = [p - (i == true) for i, p in enumerate(probs)]
    n = range(len(r))
    rough = sum(kernel[i][j] * (r[i] - r[j]) ** 2 for i in n for j in n) / 2
    return rough / (2 * sum(map(sum, kernel)) / len(r))


def test_crps_worked_by_hand() -> None:
    """F is 1/2, 3/4, 1; gaps are 1 and 4: (1/2 - 1)^2 + 4 (3/4 - 1)^2 where 0 is true, and so on."""
    found = crps_loss(BELIEF.log().repeat(3, 1), torch.arange(3), VALUES)
    torch.testing.assert_close(found, torch.tensor([0.25 + 0.25, 0.25 + 0.25, 0.25 + 4 * 0.5625]))


@given(beliefs())
def test_crps_is_the_sum_over_gaps_and_the_expected_distance(case: tuple[list[float], list[float], int]) -> None:
    values, probs, true = case
    gaps, below = 0.0, 0.0
    for k in range(len(values) - 1):
        below += probs[k]
        gaps += (below - (values[true] <= values[k])) ** 2 * (values[k + 1] - values[k])
    found = crps_loss(logits(probs), torch.tensor([true]), torch.tensor(values)).item()
    assert found == pytest.approx(gaps, rel=1e-9, abs=1e-9)
    assert found == pytest.approx(expected_distance(values, probs, true, 1.0), rel=1e-9, abs=1e-9)
    # scipy's energy distance of two distributions is the root of twice this.
    assert found == pytest.approx(stats.energy_distance(values, values[true : true + 1], probs) ** 2 / 2, abs=1e-6)


def test_two_tokens_of_one_number_are_one_to_crps() -> None:
    """`5` and ` 5`: mass may go from one to the other, and either may be the label."""
    values = torch.tensor([0.0, 5.0, 5.0, 9.0])
    splits = torch.tensor([[0.25, 0.5, 0.0, 0.25], [0.25, 0.125, 0.375, 0.25]]).log().repeat(2, 1)
    found = crps_loss(splits, torch.tensor([1, 1, 2, 2]), values)
    torch.testing.assert_close(found, torch.full((4,), 5 * 0.0625 + 4 * 0.0625))


@pytest.mark.parametrize("beta", [0.25, 1.0, 1.5, 1.875])
@given(case=beliefs())
def test_energy_score(case: tuple[list[float], list[float], int], beta: float) -> None:
    values, probs, true = case
    kernel = energy_kernel(torch.tensor(values), beta)
    found = kernel_score(logits(probs), torch.tensor([true]), kernel).item()
    assert found == pytest.approx(expected_distance(values, probs, true, beta), rel=1e-7, abs=1e-7)


def test_energy_score_ends_at_the_squared_error() -> None:
    """Beta 2, which a config refuses: (E - y)^2 with E = 1.5."""
    found = kernel_score(BELIEF.log().repeat(3, 1), torch.arange(3), energy_kernel(VALUES, 2.0))
    torch.testing.assert_close(found, torch.tensor([2.25, 0.25, 12.25]))


@pytest.mark.parametrize("sigma", [0.5, 2.0, 30.0])
@given(case=beliefs())
def test_kernel_scores(case: tuple[list[float], list[float], int], sigma: float) -> None:
    values, probs, true = case
    wanted = quadratic(probs, true, kernel_of(values, sigma))
    smooth = wanted + roughness(probs, true, kernel_of(values, sigma))
    kernel = gaussian_kernel(torch.tensor(values), sigma)
    for each, value in ((kernel, wanted), (smoothed_kernel(kernel), smooth)):
        found = kernel_score(logits(probs), torch.tensor([true]), each).item()
        assert found == pytest.approx(value, rel=1e-7, abs=1e-7)


def test_kernel_scores_worked_by_hand() -> None:
    """Two numbers sigma sqrt(2 log 2) apart: the kernel is 1/2, r is (1/4, -1/4), the degrees 3/2, alpha 1/3."""
    kernel = gaussian_kernel(torch.tensor([0.0, 2 * math.sqrt(2 * math.log(2))], dtype=torch.float64), 2.0)
    half = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(kernel, half)
    belief, truth = torch.tensor([[0.25, 0.75]]).double().log(), torch.tensor([1])
    assert kernel_score(belief, truth, half).item() == pytest.approx(1 / 16)
    # r' L r is 1/2 (1/2)^2, once: (1/2) (1/2 + 1/2) (1/4 + 1/4)^2 = 1/8, and a third of it is added.
    assert kernel_score(belief, truth, smoothed_kernel(half)).item() == pytest.approx(1 / 16 + 1 / 24)


@pytest.mark.parametrize(
    ("settings", "kernel"),
    [
        ({"loss": "energy", "energy_beta": 0.5}, lambda v: energy_kernel(v, 0.5)),
        ({"loss": "energy"}, lambda v: energy_kernel(v, 1.0)),
        ({"loss": "mmd", "kernel_sigma": 3.0}, lambda v: gaussian_kernel(v, 3.0)),
        ({"loss": "smmd", "kernel_sigma": 3.0}, lambda v: smoothed_kernel(gaussian_kernel(v, 3.0))),
        # The sigma of SMMD's paper.
        ({"loss": "smmd"}, lambda v: smoothed_kernel(gaussian_kernel(v, 2.0))),
    ],
)
def test_a_config_gives_these(settings: dict[str, Any], kernel: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    rows, true = torch.randn(3, 3).double(), torch.arange(3)
    wanted = kernel_score(rows, true, kernel(VALUES))
    torch.testing.assert_close(token_loss(VALUES, **settings)(rows, true), wanted, rtol=1e-6, atol=1e-7)
