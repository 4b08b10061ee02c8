"""The losses: values worked by hand, gradients against finite differences, and what holds for any distribution."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntl_hf.losses import (
    NumberLoss,
    expected_value,
    huber_loss,
    log_number_mass,
    lp_loss,
    mae_loss,
    mse_loss,
    number_probs,
    reduce_losses,
    reweigh_by_mass,
    value_distances,
    wasserstein_loss,
)
from ntl_hf.settings.config import NTLConfig

# Three numbers, believed in with 1/2, 1/4, 1/4: 1.5 is expected.
VALUES = torch.tensor([0.0, 1.0, 5.0])
LOGITS = torch.tensor([0.5, 0.25, 0.25]).log()
# loss name and settings -> the loss where the true number is 0, 1 and 5, and the largest between two of them.
WORKED: dict[str, tuple[dict[str, Any], list[float], float]] = {
    "was": ({"loss": "was"}, [1.5, 1.5, 3.5], 5.0),
    # Distances 1, 4, 5 become 1, 2.5, 4.
    "was, squashed": ({"loss": "was", "squash_factor": 3.0}, [0.25 + 0.75, 0.5 + 0.625, 1.5 + 0.625], 3.0),
    "mse": ({"loss": "mse"}, [2.25, 0.25, 12.25], 25.0),
    "mae": ({"loss": "mae"}, [1.5, 0.5, 3.5], 5.0),
    "huber": ({"loss": "huber"}, [1.0, 0.125, 3.0], 4.5),
    "huber, delta": ({"loss": "huber", "huber_delta": 0.25}, [0.34375, 0.09375, 0.84375], 1.21875),
    "lp": ({"loss": "lp"}, [2.25, 0.25, 12.25], 25.0),
    "lp, p=3": ({"loss": "lp", "p": 3.0}, [3.375, 0.125, 42.875], 125.0),
    "lp, p=1.5": ({"loss": "lp", "p": 1.5}, [1.5**1.5, 0.5**1.5, 3.5**1.5], 5**1.5),
}
SETTINGS = {name: settings for name, (settings, _, _) in WORKED.items()}
every_loss = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def number_loss(settings: dict[str, Any], values: Tensor = VALUES, **more: Any) -> NumberLoss:
    return NumberLoss(NTLConfig(**settings, **more), values)


def rows(logits: Tensor, n: int = 3) -> Tensor:
    return logits.repeat(n, 1)


# Worked by hand


@pytest.mark.parametrize(("settings", "expected", "_largest"), WORKED.values(), ids=WORKED)
def test_values_worked_by_hand(settings: dict[str, Any], expected: list[float], _largest: float) -> None:
    losses = number_loss(settings)(rows(LOGITS), torch.arange(3))
    torch.testing.assert_close(losses, torch.tensor(expected))


@pytest.mark.parametrize(("settings", "expected", "largest"), WORKED.values(), ids=WORKED)
def test_reweighed_values_worked_by_hand(settings: dict[str, Any], expected: list[float], largest: float) -> None:
    mass = torch.tensor([1.0, 0.8, 0.0])
    losses = number_loss(settings, reweigh=True)(rows(LOGITS), torch.arange(3), mass.log())
    inside, outside = mass * torch.tensor(expected), 1.01 * (1 - mass) * largest
    torch.testing.assert_close(losses, inside + outside)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (mse_loss, [2.25, 0.25, 12.25]),
        (mae_loss, [1.5, 0.5, 3.5]),
        (huber_loss, [1.0, 0.125, 3.0]),
        (lp_loss, [2.25, 0.25, 12.25]),
        (lambda z, y, v: wasserstein_loss(z, y, value_distances(v)), [1.5, 1.5, 3.5]),
        (lambda z, _, v: expected_value(z, v), [1.5, 1.5, 1.5]),
    ],
    ids=["mse", "mae", "huber", "lp", "was", "expected value"],
)
def test_functions_worked_by_hand(loss: Callable[..., Tensor], expected: list[float]) -> None:
    torch.testing.assert_close(loss(rows(LOGITS), torch.arange(3), VALUES), torch.tensor(expected))


def test_absolute_error_is_for_metrics() -> None:
    logits = rows(LOGITS, 4).requires_grad_()
    error = number_loss({"loss": "was"}).absolute_error(logits, torch.tensor([0, 1, 2, -1]))
    torch.testing.assert_close(error, torch.tensor([1.5, 0.5, 3.5, 0.0]))
    assert not error.requires_grad


def test_leading_dimensions_are_kept() -> None:
    logits, target = torch.randn(2, 4, 3), torch.randint(3, (2, 4))
    for settings in SETTINGS.values():
        loss = number_loss(settings)
        flat = loss(logits.flatten(0, 1), target.flatten())
        torch.testing.assert_close(loss(logits, target), flat.view(2, 4))


# Distances


@pytest.mark.parametrize(
    ("values", "factor", "expected"),
    [
        ([0.0, 1.0, 5.0], None, [[0, 1, 5], [1, 0, 4], [5, 4, 0]]),
        ([0.0, 1.0, 5.0], 3.0, [[0, 1, 3], [1, 0, 2.5], [3, 2.5, 0]]),
        # Two tokens for one number (`5` and ` 5`) stay at no distance.
        ([0.0, 5.0, 5.0, 7.0], 2.0, [[0, 1.6, 1.6, 2], [1.6, 0, 0, 1], [1.6, 0, 0, 1], [2, 1, 1, 0]]),
        ([3.0, 10.0], 9.0, [[0, 1], [1, 0]]),
        ([3.0, 10.0], None, [[0, 7], [7, 0]]),
    ],
    ids=["plain", "squashed", "equal values", "two values", "two values, plain"],
)
def test_distances(values: list[float], factor: float | None, expected: list[list[float]]) -> None:
    distances = value_distances(torch.tensor(values), factor)
    torch.testing.assert_close(distances, torch.tensor(expected, dtype=torch.float32))


def test_digits_are_squashed_to_themselves_by_nine() -> None:
    digits = torch.arange(10.0)
    torch.testing.assert_close(value_distances(digits, 9.0), value_distances(digits))


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0, -2.0, math.nan])
def test_squash_factor_out_of_range(factor: float) -> None:
    with pytest.raises(ValueError, match="must be above 1"):
        value_distances(VALUES, factor)


def test_equal_values_cannot_be_squashed() -> None:
    with pytest.raises(ValueError, match="two different number values"):
        value_distances(torch.tensor([5.0, 5.0]), 3.0)
    assert value_distances(torch.tensor([5.0, 5.0])).eq(0).all()


@given(
    values=st.lists(st.integers(0, 10**6), min_size=2, max_size=20, unique=True),
    factor=st.floats(1.0625, 1000, width=32),
)
def test_squashed_distances_lie_between_one_and_the_factor(values: list[int], factor: float) -> None:
    plain = value_distances(torch.tensor(values, dtype=torch.float32))
    squashed = value_distances(torch.tensor(values, dtype=torch.float32), factor)
    apart = ~torch.eye(len(values), dtype=torch.bool)
    assert squashed.diagonal().eq(0).all()
    assert squashed[apart].min().item() == pytest.approx(1)
    if len(set(plain[apart].tolist())) > 1:
        assert squashed.max().item() == pytest.approx(factor, rel=1e-5)
    # The order of the distances is kept.
    order = plain[apart].argsort()
    assert squashed[apart][order].diff().min() >= -1e-6 * factor


# Number mass


def test_number_mass() -> None:
    everything = torch.tensor([0.4, 0.2, 0.2, 0.15, 0.05]).log() + 3
    log_mass = log_number_mass(everything[:3].expand(2, 3), everything.logsumexp(-1), torch.tensor([1, -1]))
    torch.testing.assert_close(log_mass.exp(), torch.tensor([0.8, 1.0]))


def test_number_mass_follows_from_the_label_alone() -> None:
    """The identity that lets fused heads do without the rest: log P(numbers) = log p(y) - log_softmax(z)[y]."""
    torch.manual_seed(0)
    everything, target = torch.randn(50, 30).double(), torch.randint(10, (50, 1))
    log_mass = log_number_mass(everything[:, :10], everything.logsumexp(-1), target.squeeze(1))
    label = everything.log_softmax(-1).gather(1, target) - everything[:, :10].log_softmax(-1).gather(1, target)
    torch.testing.assert_close(log_mass, label.squeeze(1))


def test_number_mass_is_never_above_one() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(10000, 10) * 5, torch.randint(10, (10000,))
    assert log_number_mass(logits, logits.logsumexp(-1) - 1e-6, target).max() <= 0


def test_a_tiny_mass_outside_is_not_rounded_away() -> None:
    outside = reweigh_by_mass(torch.zeros(()), torch.tensor(-1e-9), largest=9.0)
    torch.testing.assert_close(outside, torch.tensor(1.01 * 9.0 * 1e-9), atol=0, rtol=1e-5)


def test_reweighing_needs_the_mass() -> None:
    with pytest.raises(ValueError, match="log_mass"):
        number_loss({"loss": "was"}, reweigh=True)(rows(LOGITS), torch.arange(3))


# Gradients


@pytest.mark.parametrize("reweigh", [False, True])
@every_loss
def test_gradients_against_finite_differences(settings: dict[str, Any], reweigh: bool) -> None:
    torch.manual_seed(0)
    loss = number_loss(settings, torch.tensor([0.0, 1.0, 2.0, 5.0, 5.0, 9.0]), reweigh=reweigh)
    logits = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    log_mass = -torch.rand(4, dtype=torch.float64)
    target = torch.tensor([0, 4, 5, -1])
    assert torch.autograd.gradcheck(lambda z, m: loss(z, target, m), (logits, log_mass.requires_grad_()))


@every_loss
def test_float64_is_kept(settings: dict[str, Any]) -> None:
    assert number_loss(settings)(rows(LOGITS).double(), torch.arange(3)).dtype == torch.float64


# Any distribution


@st.composite
def distributions(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Logits `[n, D]`, targets `[n]` and values `[D]`."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    size = draw(st.integers(2, 30))
    values = torch.tensor(draw(st.lists(st.integers(0, 1000), min_size=size, max_size=size)), dtype=torch.float32)
    return torch.randn(8, size) * draw(st.sampled_from([0.1, 1, 10])), torch.randint(size, (8,)), values


@given(case=distributions())
def test_was_lies_between_nothing_and_the_largest_distance(case: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, target, values = case
    distances = value_distances(values)
    losses = wasserstein_loss(logits, target, distances)
    assert (losses >= 0).all()
    assert (losses <= distances[target].amax(-1) * (1 + 1e-5)).all()
    # Jensen: the distance of the expected value is at most the expected distance.
    assert (mae_loss(logits, target, values) <= losses + 1e-3).all()


@given(case=distributions(), scale=st.sampled_from([0.5, 3.0, -2.0]), shift=st.integers(-50, 50))
def test_was_scales_with_the_values_and_ignores_their_origin(
    case: tuple[Tensor, Tensor, Tensor], scale: float, shift: int
) -> None:
    logits, target, values = case
    plain = wasserstein_loss(logits, target, value_distances(values))
    moved = wasserstein_loss(logits, target, value_distances(scale * values + shift))
    torch.testing.assert_close(moved, abs(scale) * plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "power"),
    [({"loss": "mae"}, 1), ({"loss": "mse"}, 2), ({"loss": "lp", "p": 3.0}, 3)],
    ids=["mae", "mse", "lp"],
)
@given(case=distributions(), shift=st.integers(-50, 50))
def test_losses_of_the_expected_value_scale_by_their_power(
    settings: dict[str, Any], power: int, case: tuple[Tensor, Tensor, Tensor], shift: int
) -> None:
    logits, target, values = case[0].double(), case[1], case[2]
    plain = number_loss(settings, values)(logits, target)
    moved = number_loss(settings, 2 * values + shift)(logits, target)
    torch.testing.assert_close(moved, 2**power * plain)


@pytest.mark.parametrize("size", [2, 10])
@every_loss
def test_a_uniform_distribution_costs_the_mean_and_certainty_nothing(settings: dict[str, Any], size: int) -> None:
    values, target = torch.arange(float(size)), torch.arange(size)
    loss = number_loss(settings, values)
    assert loss(1e4 * torch.eye(size), target).eq(0).all()
    # The expected value is the middle, whatever number one looks from.
    error = (values - (size - 1) / 2).abs()
    delta = settings.get("huber_delta", 1.0)
    expected = {
        "was": value_distances(values, settings.get("squash_factor")).mean(-1),
        "mae": error,
        "mse": error**2,
        "lp": error ** settings.get("p", 2.0),
        "huber": torch.where(error <= delta, error**2 / 2, delta * (error - delta / 2)),
    }
    torch.testing.assert_close(loss(torch.zeros(size, size), target), expected[settings["loss"]])


@every_loss
def test_certainty_of_the_wrong_number_costs_the_most(settings: dict[str, Any]) -> None:
    loss = number_loss(settings, torch.arange(10.0))
    wrong = loss(1e4 * torch.eye(10)[9:], torch.tensor([0]))
    torch.testing.assert_close(wrong, loss.terms[0].largest.reshape(1))


@given(case=distributions(), offset=st.floats(-100, 100, width=32))
def test_probabilities_ignore_an_offset_of_the_logits(case: tuple[Tensor, Tensor, Tensor], offset: float) -> None:
    probs = number_probs(case[0])
    torch.testing.assert_close(probs.sum(-1), torch.ones(8))
    torch.testing.assert_close(number_probs(case[0] + offset), probs, rtol=1e-4, atol=1e-5)


# Numerics


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_loss
def test_half_precision_logits_give_float32_losses(settings: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 10).to(dtype)
    target, loss = torch.randint(10, (5,)), number_loss(settings, torch.arange(10.0))
    losses = loss(logits, target)
    assert losses.dtype == torch.float32
    # As exact as if the logits had been float32: the values, distances and sums are never rounded to half precision.
    torch.testing.assert_close(losses, loss(logits.float(), target), rtol=0, atol=0)


@every_loss
def test_impossible_numbers_leave_value_and_gradient_finite(settings: dict[str, Any]) -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0], [-math.inf, 2.0, -math.inf]], requires_grad=True)
    losses = number_loss(settings)(logits, torch.tensor([0, 1]))
    losses.sum().backward()
    assert losses.isfinite().all()
    assert losses[1] == 0
    assert logits.grad.isfinite().all()
    assert logits.grad[0].abs().max() > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("reweigh", [False, True])
@every_loss
def test_positions_without_a_number_reach_neither_loss_nor_gradient(
    settings: dict[str, Any], reweigh: bool, bad: float
) -> None:
    clean = rows(LOGITS, 2).requires_grad_()
    dirty = torch.stack([LOGITS, torch.full((3,), bad)]).requires_grad_()
    loss = number_loss(settings, reweigh=reweigh)
    log_mass, target = torch.tensor([-0.5, bad]).requires_grad_(), torch.tensor([2, -1])
    for logits in (clean, dirty):
        losses = loss(logits, target, log_mass)
        assert losses[1] == 0
        losses.sum().backward()
    assert torch.equal(dirty.grad, clean.grad)
    assert dirty.grad[1].eq(0).all() and dirty.grad[0].abs().max() > 0
    if reweigh:
        assert log_mass.grad[1] == 0


@every_loss
def test_constants_move_with_the_module_and_are_not_trained(settings: dict[str, Any]) -> None:
    loss = number_loss(settings)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}, "a checkpoint must not carry the constants of its tokenizer"
    assert {buffer.device.type for buffer in loss.to("meta").buffers()} == {"meta"}


# Reductions

LOSSES = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
WEIGHTS = torch.tensor([[1.0, 0.0], [3.0, 0.5]])


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("mean", torch.tensor(17 / 4.5)), ("sum", torch.tensor(17.0)), ("none", torch.tensor([[1.0, 0.0], [12.0, 4.0]]))],
)
def test_reductions_worked_by_hand(reduction: str, expected: Tensor) -> None:
    torch.testing.assert_close(reduce_losses(LOSSES, WEIGHTS, reduction), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_boolean_weights_select(reduction: str) -> None:
    mask = WEIGHTS > 0
    expected = {"mean": LOSSES[mask].mean(), "sum": LOSSES[mask].sum(), "none": LOSSES * mask}[reduction]
    torch.testing.assert_close(reduce_losses(LOSSES, mask, reduction), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_weight_at_all_is_a_zero_that_can_be_backpropagated(reduction: str, dtype: torch.dtype) -> None:
    losses = LOSSES.clone().to(dtype).requires_grad_()
    reduced = reduce_losses(losses, torch.zeros(2, 2), reduction)
    assert reduced.eq(0).all() and reduced.dtype == dtype
    reduced.sum().backward()
    assert losses.grad.eq(0).all()


def test_unknown_reduction() -> None:
    with pytest.raises(ValueError, match=r"'average'.*mean, sum, none"):
        reduce_losses(LOSSES, WEIGHTS, "average")
