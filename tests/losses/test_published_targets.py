"""DIST2, DEL, RAFT and the place weights against values worked by hand and their formulas written out slowly."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from ntl_hf.losses import (
    del_weights,
    digit_entropy_loss,
    distance_targets,
    ntil_weights,
    raft_loss,
    soft_divergence_loss,
)

from .builds import DIGITS, token_loss

VALUES = torch.tensor([0.0, 1.0, 5.0])
finite_logits = st.lists(st.floats(-20, 20), min_size=3, max_size=3)


def softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(z - max(logits)) for z in logits]
    return [x / sum(powers) for x in powers]


def row(logits: list[float]) -> Tensor:
    return torch.tensor([logits], dtype=torch.float64)


# DIST2


def test_dist2_targets_worked_by_hand() -> None:
    """Temperature 1 / log 2: each step halves the weight."""
    targets = distance_targets(VALUES, 1 / math.log(2))
    rows = torch.tensor([[1, 1 / 2, 1 / 32], [1 / 2, 1, 1 / 16], [1 / 32, 1 / 16, 1]])
    torch.testing.assert_close(targets, rows / rows.sum(1, keepdim=True))


@pytest.mark.parametrize("temperature", [0.25, 1.0, 7.0])
@pytest.mark.parametrize("true", [0, 1, 2])
@given(logits=finite_logits)
def test_dist2_is_the_divergence_that_scipy_finds(logits: list[float], true: int, temperature: float) -> None:
    values = VALUES.tolist()
    targets = softmax([-abs(v - values[true]) / temperature for v in values])
    found = token_loss(VALUES, loss="dist2", dist2_temperature=temperature)(row(logits), torch.tensor([true])).item()
    assert found == pytest.approx(stats.entropy(targets, softmax(logits)), rel=1e-5, abs=1e-5)


def test_dist2_is_cross_entropy_at_a_low_temperature() -> None:
    torch.manual_seed(0)
    logits, true = torch.randn(3, 3), torch.arange(3)
    found = soft_divergence_loss(logits, true, distance_targets(VALUES, 0.01))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, true, reduction="none"))


# DEL


def test_del_worked_by_hand() -> None:
    """Logits of 0: each token is believed in with 1/3 and costs log 2, and a third of their sum is taken."""
    found = digit_entropy_loss(torch.zeros(3, 3), torch.arange(3))
    torch.testing.assert_close(found, torch.full((3,), math.log(2) / 3))


@pytest.mark.parametrize("true", [0, 1, 2])
@given(logits=finite_logits)
def test_del_is_the_expected_binary_cross_entropy(logits: list[float], true: int) -> None:
    total = 0.0
    for j, (p, z) in enumerate(zip(softmax(logits), logits, strict=True)):
        # -log of the sigmoid, or of what it leaves.
        total += p * math.log1p(math.exp(-z if j == true else z))
    assert digit_entropy_loss(row(logits), torch.tensor([true])).item() == pytest.approx(total / 3, rel=1e-9)
    # A lone digit stands in the units, which weigh 2.
    found = token_loss(VALUES, loss="del")(row(logits), torch.tensor([true])).item()
    assert found == pytest.approx(2 * total / 3, rel=1e-9)


# RAFT


@pytest.mark.parametrize(
    ("grid", "expected"),
    [(None, 1.5), ([0, 1, 5], 1.5), ([1, 5], 1.5), ([0, 1], 0.25), ([0, 5], 1.25)],
    ids=str,
)
@pytest.mark.parametrize("mass", [1.0, 0.5])
def test_raft_worked_by_hand(grid: list[float] | None, expected: float, mass: float) -> None:
    """1/2, 1/4, 1/4 on 0, 1, 5; what is not on the grid, or on no number at all, counts as 0."""
    loss = token_loss(VALUES, mass, loss="raft", raft_grid=grid)
    found = loss(torch.tensor([0.5, 0.25, 0.25]).log().repeat(3, 1), torch.arange(3))
    on_grid = [grid is None or value in grid for value in VALUES.tolist()]
    wanted = [(expected * mass - y) ** 2 * here for y, here in zip(VALUES.tolist(), on_grid, strict=True)]
    torch.testing.assert_close(found, torch.tensor(wanted), check_dtype=False)


@given(logits=finite_logits, outside=st.floats(-20, 20), grid=st.sampled_from([[0, 1], [1, 5], [0, 1, 5]]))
def test_raft_is_over_the_whole_vocabulary(logits: list[float], outside: float, grid: list[int]) -> None:
    probs, values = softmax([*logits, outside]), [0, 1, 5]
    expected = sum(p * v for p, v in zip(probs, values, strict=False) if v in grid)
    log_mass = torch.tensor([sum(probs[:3])], dtype=torch.float64).log()
    found = raft_loss(row(logits), log_mass, torch.tensor([1]), VALUES, torch.tensor([v in grid for v in values]))
    assert found.item() == pytest.approx((expected - 1) ** 2, rel=1e-6, abs=1e-9)


# Places


def test_place_weights_worked_by_hand() -> None:
    place = torch.tensor([2, 1, 0, -1, -2])
    torch.testing.assert_close(ntil_weights(place), torch.tensor([1.44, 1.2, 1.0, 1 / 1.2, 1 / 1.44]))
    torch.testing.assert_close(ntil_weights(place, 10.0), torch.tensor([100.0, 10.0, 1.0, 0.1, 0.01]))
    torch.testing.assert_close(del_weights(place), torch.tensor([6.0, 4.0, 2.0, 1.02**-2, 1.02**-3]))


@pytest.mark.parametrize("place", [-(10**6), 10**6])
def test_place_weights_are_finite_and_positive(place: int) -> None:
    for weights in (ntil_weights, del_weights):
        weight = weights(torch.tensor([place])).item()
        assert math.isfinite(weight) and weight > 0


@pytest.mark.parametrize(("place_weights", "factor"), [("none", 1.0), ("ntil", 1.0), ("del", 2.0)])
def test_units_weigh_as_the_setting_says(place_weights: str, factor: float) -> None:
    torch.manual_seed(0)
    logits, true = torch.randn(10, 10), torch.arange(10)
    plain = token_loss(DIGITS, loss="crps")(logits, true)
    found = token_loss(DIGITS, loss="crps", place_weights=place_weights)(logits, true)
    torch.testing.assert_close(found, factor * plain)
