"""The number loss of some positions, and its gradient by autograd: a few columns, whatever the loss."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...losses import log_number_mass
from .plan import PassTask


@dataclass(frozen=True)
class NumberValues:
    """What is known of c positions, `[c]` each, float32 (float64 for float64).

    Attributes:
        losses: the number loss.
        log_mass: log of the number mass.
        gradient: of ntl_scale * NTL with respect to the number columns of the projection, `[c, D]`, as far as it comes
            through the number logits; None if it is not wanted. In half precision it could be out of range before the
            loss is scaled, so it goes its own way.
        normalizer_gradient: the same with respect to the log-normaliser; None if the loss does not depend on it.
    """

    losses: Tensor
    log_mass: Tensor
    gradient: Tensor | None = None
    normalizer_gradient: Tensor | None = None


def differentiate_numbers(
    number_logits: Tensor, log_normalizer: Tensor, target: Tensor, task: PassTask
) -> NumberValues:
    """The number loss of c positions and, if wanted, its gradient.

    Args:
        number_logits: `[c, D]`, float32 (float64 for float64).
        log_normalizer: of all logits, `[c]`.
        target: column of the label among the number tokens, `[c]`; -1 where it is not a number.
        task: what is computed.

    Raises:
        RuntimeError: the plan says that the loss does not look at the number mass, but it does.
    """
    scale = task.ntl_scale if task.with_gradient else None
    inputs = [x.detach().requires_grad_(scale is not None) for x in (number_logits, log_normalizer)]
    with torch.set_grad_enabled(scale is not None):
        log_mass = log_number_mass(inputs[0], inputs[1], target)
        losses = task.plan.number_loss(inputs[0], target, log_mass)
    if scale is None:
        return NumberValues(losses, log_mass)
    gradients = torch.autograd.grad(losses, inputs, torch.ones_like(losses), allow_unused=True)
    gradient, normalizer_gradient = (None if grad is None else grad * scale for grad in gradients)
    if normalizer_gradient is not None and not task.plan.uses_mass:
        raise RuntimeError("The number loss depends on the number mass: set `uses_mass=True` in the plan.")
    if gradient is not None:
        gradient = gradient * task.plan.transform.derivative(number_logits)
    return NumberValues(losses.detach(), log_mass.detach(), gradient, normalizer_gradient)
