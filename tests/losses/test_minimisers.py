"""What each loss pulls a model to: the minimiser of its expectation over a known distribution of the truth.

Proper losses have it at that distribution itself. Where one has not, the test says where it is instead.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ntl_hf.losses import distance_targets

from ..tiers import by_tier
from .builds import DIGITS
from .minimise import alone, divergences, expectation
from .properties import TABLE, random_truths

VALUES = DIGITS.double()
# Cost of the expected value m where y is true, written out, for the losses that look at nothing else.
COSTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": lambda m, y: (m - y).abs(),
    "huber": lambda m, y: torch.where((m - y).abs() <= 1, (m - y) ** 2 / 2, (m - y).abs() - 0.5),
    "lp": lambda m, y: (m - y).abs() ** 3,
    "number": lambda m, y: (m - y).abs() / torch.maximum(m, y).clamp_min(1),
}


def named(proper: str) -> list[str]:
    return [name for name, of in TABLE.items() if of.proper == proper]


def with_mean(mean: float, near: bool) -> Tensor:
    """Logits of a distribution with this mean: on the two digits around it, or on 0 and 9."""
    low, high = (min(int(mean), 8), min(int(mean), 8) + 1) if near else (0, 9)
    probs = torch.zeros(10, dtype=torch.float64)
    probs[high] = (mean - low) / (high - low)
    probs[low] = 1 - probs[high]
    return probs.log()


# The others are members of the families of these two.
@pytest.mark.parametrize("name", by_tier(named("strictly"), ["energy", "smmd"]))
def test_strictly_proper_losses_have_their_minimum_at_the_truth_alone(name: str) -> None:
    for truth, found, value, value_at_truth in alone(name):
        # The kernel of MMD is nearly singular: its minimum is flat, and how near a descent comes depends on the CPU.
        assert value == pytest.approx(value_at_truth, abs=1e-8 if name == "mmd" else 1e-9)
        torch.testing.assert_close(found, truth, rtol=0, atol=2e-2 if name == "mmd" else 1e-6)


@pytest.mark.parametrize("name", named("yes"))
def test_proper_losses_of_the_expected_value_have_it_wherever_the_mean_is_right(name: str) -> None:
    away = 0.0
    for truth, found, value, value_at_truth in alone(name):
        assert value == pytest.approx(value_at_truth, abs=1e-9)
        assert (found * VALUES).sum().item() == pytest.approx((truth * VALUES).sum().item(), abs=1e-6)
        away = max(away, (found - truth).abs().max().item())
    assert away > 0.1, "not strictly: other distributions are as good"


@pytest.mark.parametrize("name", named("no"))
def test_improper_losses_are_lower_elsewhere(name: str) -> None:
    excess = [value_at_truth - value for _, _, value, value_at_truth in alone(name)]
    assert max(excess) > 0.05


def test_was_wants_all_mass_on_the_median() -> None:
    for truth, found, value, _ in alone("was"):
        median = int((truth.cumsum(0) < 0.5).sum())
        assert found[median] > 0.999
        assert value == pytest.approx((truth * (VALUES - median).abs()).sum().item(), abs=1e-3)


@pytest.mark.parametrize("name", COSTS)
def test_losses_of_the_expected_value_want_their_own_mean(name: str) -> None:
    """The best mean, and any distribution that has it: also one with nothing near it."""
    for truth, _, value, value_at_truth in alone(name):
        means = torch.linspace(0, 9, 9001, dtype=torch.float64)
        costs = (truth * COSTS[name](means[:, None], VALUES)).sum(-1)
        lowest, best = costs.min().item(), means[costs.argmin()].item()
        objective = expectation(name, truth)
        for near in (True, False):
            assert objective(with_mean(best, near)).item() == pytest.approx(lowest, abs=1e-6)
        # No descent gets below it.
        assert value > lowest - 1e-4 and value_at_truth > lowest


def test_mae_wants_the_median_as_its_mean() -> None:
    for truth in random_truths():
        median, objective = float((truth.cumsum(0) < 0.5).sum()), expectation("mae", truth)
        best = objective(with_mean(median, near=True))
        assert all(objective(with_mean(median + off, near=False)) > best for off in (-1, -0.1, 0.1, 1))


def test_dist2_wants_the_truth_blurred() -> None:
    for truth, found, _, _ in alone("dist2"):
        torch.testing.assert_close(found, truth @ distance_targets(VALUES).double(), rtol=0, atol=1e-5)


def test_del_wants_all_mass_on_the_token_it_is_surest_about_be_it_wrong() -> None:
    """Its least value is the smallest binary entropy of a token: mostly that of the least likely one."""
    wrong = 0
    for truth, _, _, _ in alone("del"):
        entropies = -(truth * truth.log() + (1 - truth) * (-truth).log1p())
        surest = int(entropies.argmin())
        # Units weigh 2, and the mean is over ten tokens.
        lowest = 2 * entropies[surest].item() / 10
        logits = torch.full((10,), -60.0, dtype=torch.float64)
        logits[surest] = truth[surest].logit()
        assert expectation("del", truth)(logits).item() == pytest.approx(lowest, abs=1e-9)
        wrong += surest == int(truth.argmin())
        torch.manual_seed(0)
        for scale in (0.1, 1, 5):
            assert expectation("del", truth)(scale * torch.randn(10).double()).item() > lowest
    assert wrong > len(random_truths()) / 2


@pytest.mark.parametrize("name", by_tier(TABLE, TABLE.keys() - {"was", "mae", "crps", "raft"}))
def test_distance_from_the_truth_beside_cross_entropy(name: str) -> None:
    """CE + 0.3 L has its minimum at the truth exactly where L is proper."""
    found, expected = divergences(name), TABLE[name].divergence
    if TABLE[name].proper == "no":
        assert sum(found) / len(found) == pytest.approx(expected, rel=0.05)
        assert min(found) > 1e-7
    else:
        assert expected == 0 and max(map(abs, found)) < 1e-9
