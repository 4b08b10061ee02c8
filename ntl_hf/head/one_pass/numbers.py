"""What is made of the number logits of some positions, and its gradient by autograd: a few columns, whatever it is."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...losses import log_number_mass
from ...tokens.number_layout import NumberLayout
from .plan import PassTask


@dataclass(frozen=True)
class NumberValues:
    """What is known of c positions, `[c]` each, float32 (float64 for float64).

    Attributes:
        losses: the number loss.
        log_mass: log of the number mass.
        smoothing_terms: what soft targets add to CE; 0 without them.
        gradient: of that + ntl_scale * NTL with respect to the watched columns of the projection, `[c, W]`, as far as
            it comes through the number logits; None if it is not wanted. In half precision it could be out of range
            before the loss is scaled, so it goes its own way.
        normalizer_gradient: the same with respect to the log-normaliser; None if the loss does not depend on it.
    """

    losses: Tensor
    log_mass: Tensor
    smoothing_terms: Tensor
    gradient: Tensor | None = None
    normalizer_gradient: Tensor | None = None


def differentiate_numbers(
    watched_logits: Tensor,
    log_normalizer: Tensor,
    target: Tensor,
    task: PassTask,
    layout: NumberLayout | None = None,
) -> NumberValues:
    """The number loss of c positions, their smoothing and, if wanted, the gradient of both.

    Args:
        watched_logits: `[c, W]`, float32 (float64 for float64): of the D number tokens, and of the marks if any.
        log_normalizer: of all logits, `[c]`.
        target: column of the label among the number tokens, `[c]`; -1 where it is not a number.
        task: what is computed.
        layout: where the positions stand in their numbers; None where the loss does not look.

    Raises:
        RuntimeError: the plan says that the loss does not look at the number mass, but it does.
    """
    plan, scale = task.plan, task.ntl_scale
    with_gradient = task.with_gradient and (scale is not None or plan.smoothing is not None)
    inputs = [x.detach().requires_grad_(with_gradient) for x in (watched_logits, log_normalizer)]
    with torch.set_grad_enabled(with_gradient):
        number_logits = inputs[0][:, : len(plan.vocab)]
        log_mass = log_number_mass(number_logits, inputs[1], target)
        losses = plan.number_loss(inputs[0], target, log_mass, layout)
        smoothing = torch.zeros_like(losses) if plan.smoothing is None else plan.smoothing(number_logits, target)
        total = (smoothing if scale is None else smoothing + scale * losses).sum()
    values = (losses.detach(), log_mass.detach(), smoothing.detach())
    if not with_gradient:
        return NumberValues(*values)
    gradient, normalizer_gradient = torch.autograd.grad(total, inputs, allow_unused=True)
    if normalizer_gradient is not None and not plan.uses_mass:
        raise RuntimeError("The number loss depends on the number mass: set `uses_mass=True` in the plan.")
    if gradient is not None:
        gradient = gradient * plan.transform.derivative(watched_logits)
    return NumberValues(*values, gradient, normalizer_gradient)
