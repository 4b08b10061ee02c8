"""Every loss: gradients against finite differences, and values and gradients that stay finite at extremes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ntl_hf.losses import soft_divergence_loss
from ntl_hf.losses.soft_targets import distance_targets

from .builds import DIGITS, Loss, token_loss
from .properties import SETTINGS

every_loss = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
POWERS = {"mse": 2.0, "lp": 3.0, "raft": 2.0, "energy": 1.5}


def value_and_gradient(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.clone().requires_grad_()
    losses = loss(logits, target)
    losses.sum().backward()
    assert logits.grad is not None
    return losses.detach(), logits.grad


def assert_finite(loss: Loss, logits: Tensor, target: Tensor) -> None:
    losses, gradient = value_and_gradient(loss, logits, target)
    assert losses.isfinite().all() and losses.ge(0).all()
    assert gradient.isfinite().all()


def extremes(size: int) -> dict[str, Tensor]:
    """Logits `[size, size]`; row i stands for the label i."""
    truth, last = torch.eye(size), torch.eye(size)[-1:].expand(size, size)
    return {
        "certain of the truth": 1e4 * truth,
        "certain of the last": 1e4 * last,
        "from end to end": 2e4 * last - 1e4,
        "the truth is the least likely": -1e4 * truth,
        "all high": torch.full((size, size), 1e4),
        "all low": torch.full((size, size), -1e4),
    }


@every_loss
def test_gradients_against_finite_differences(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    loss = token_loss(torch.tensor([0.0, 1.0, 2.0, 5.0, 5.0, 9.0]), mass=0.75, **settings)
    logits, target = torch.randn(6, 6, dtype=torch.float64, requires_grad=True), torch.arange(6)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits)
    assert torch.autograd.grad(loss(logits, target).sum(), logits)[0].abs().max() > 1e-3


@pytest.mark.parametrize("size", [1, 2, 10, 1000])
@every_loss
def test_extreme_logits(settings: dict[str, Any], size: int) -> None:
    loss = token_loss(torch.arange(float(size)), **settings)
    for logits in extremes(size).values():
        assert_finite(loss, logits, torch.arange(size))


@every_loss
def test_tokens_that_are_ruled_out(settings: dict[str, Any]) -> None:
    """-inf at some tokens, the true one among them; infinite is only what DIST2's targets ask for."""
    logits = torch.tensor([[0.0, -math.inf, 1.0], [-math.inf, 2.0, -math.inf], [0.0, 1.0, -math.inf]])
    losses, gradient = value_and_gradient(token_loss(DIGITS[:3], **settings), logits, torch.tensor([0, 1, 2]))
    assert gradient.isfinite().all()
    assert losses.isinf().all() if settings["loss"] == "dist2" else losses.isfinite().all()


def test_dist2_pulls_to_its_targets_also_from_where_they_are_ruled_out() -> None:
    logits = torch.tensor([[0.0, -math.inf, 1.0]], requires_grad=True)
    targets = distance_targets(DIGITS[:3])
    soft_divergence_loss(logits, torch.tensor([0]), targets).sum().backward()
    torch.testing.assert_close(logits.grad, logits.detach().softmax(-1) - targets[:1])


@every_loss
def test_all_mass_on_other_tokens(settings: dict[str, Any]) -> None:
    """Only RAFT looks at it, and finds that 0 is expected."""
    loss, target = token_loss(mass=0.0, **settings), torch.arange(10)
    torch.manual_seed(0)
    logits = torch.randn(10, 10)
    assert_finite(loss, logits, target)
    if settings["loss"] == "raft":
        torch.testing.assert_close(loss(logits, target), DIGITS.square(), check_dtype=False)


@every_loss
def test_large_values(settings: dict[str, Any]) -> None:
    """Up to 1e30, or as far as their power stays within float32."""
    largest = 10.0 ** (30 / POWERS.get(settings["loss"], 1.0))
    values = torch.cat([DIGITS, torch.tensor([1e6 + 1, largest / 3, largest])])
    loss, target = token_loss(values, **settings), torch.arange(13)
    torch.manual_seed(0)
    for logits in (*extremes(13).values(), torch.randn(13, 13)):
        losses, gradient = value_and_gradient(loss, logits, target)
        assert losses.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_loss
def test_half_precision_logits(settings: dict[str, Any], dtype: torch.dtype) -> None:
    """As exact as if they had been float32."""
    torch.manual_seed(0)
    loss, target = token_loss(**settings), torch.arange(10)
    logits = torch.randn(10, 10).to(dtype)
    losses = loss(logits, target)
    torch.testing.assert_close(losses, loss(logits.float(), target), rtol=0, atol=0)
    assert losses.dtype in (torch.float32, torch.float64)
    for extreme in extremes(10).values():
        assert_finite(loss, extreme.to(dtype), target)
