"""One block of the projection: the values of its positions, and the gradient of their loss in its place."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...losses import log_number_mass
from .plan import HeadPlan


@dataclass(frozen=True)
class BlockTask:
    """What is the same for all blocks.

    Attributes:
        plan: what is computed.
        number_ids: `[D]`.
        ntl_scale: factor of the number loss beside CE, scalar; None leaves it out of the loss.
        with_gradient: whether a gradient is wanted.
    """

    plan: HeadPlan
    number_ids: Tensor
    ntl_scale: Tensor | None
    with_gradient: bool


def differentiate_block(
    projection: Tensor, labels: Tensor, target: Tensor, task: BlockTask
) -> tuple[Tensor, Tensor | None]:
    """Values of r positions and, if wanted, the gradient of CE + ntl_scale * NTL summed over them.

    Args:
        projection: `[r, V]`, any float dtype; it is overwritten by the gradient, as far as that does not come through
            the number logits.
        labels: `[r]`, token ids.
        target: column of the label among the number tokens, `[r]`; -1 where it is not a number.
        task: what is the same for all blocks.

    Returns:
        The values, `[r, len(VALUES) + D]`, and the rest of the gradient, `[r, D]`, for the number columns: in half
        precision it could be out of range before the loss is scaled, so it goes its own way. None if there is none.
        Both float32 (float64 for float64).
    """
    softmax = _Softmax(projection, labels, task.number_ids, task.plan)
    numbers = _Numbers(softmax, target, task.plan, task.ntl_scale if task.with_gradient else None)
    values = torch.cat([torch.stack(softmax.values(numbers), 1), softmax.number_logits], 1)
    if task.with_gradient:
        softmax.write_gradient(projection, numbers.normalizer_gradient)
    return values, numbers.gradient


class _Softmax:
    """The distribution over the vocabulary, in as few passes over the block as will do."""

    def __init__(self, projection: Tensor, labels: Tensor, number_ids: Tensor, plan: HeadPlan) -> None:
        self.plan, self.labels = plan, labels.unsqueeze(1)
        # In half precision only the columns that are looked at become float32, unless the model has a transform.
        self.logits = projection if plan.transform.is_identity else plan.transform(projection)
        full = torch.promote_types(projection.dtype, torch.float32)
        self.number_logits = self.logits.index_select(1, number_ids).to(full)
        self.label_logits = self.logits.gather(1, self.labels).squeeze(1).to(full)
        peak, self.top = self.logits.max(1)
        self.probs = self.logits.softmax(1, dtype=full)
        # The largest probability is 1 / V at least: no other gives the normaliser as exactly.
        self.log_normalizer = peak.to(full) - self.probs.gather(1, self.top.unsqueeze(1)).squeeze(1).log()
        self.log_probs = self.label_logits - self.log_normalizer

    def values(self, numbers: "_Numbers") -> list[Tensor]:
        """In the order of `VALUES`, `[r]` each."""
        mean_log_probs = entropy = is_top1 = torch.zeros_like(self.log_probs)
        if self.plan.label_smoothing:
            mean_log_probs = self.logits.mean(1, dtype=self.probs.dtype) - self.log_normalizer
        if self.plan.metrics:
            entropy = self.log_normalizer - torch.linalg.vecdot(self.probs, self.logits.to(self.probs.dtype))
            is_top1 = (self.top == self.labels.squeeze(1)).to(entropy.dtype)
        return [self.log_probs, numbers.log_mass, numbers.losses, mean_log_probs, entropy, is_top1]

    def write_gradient(self, projection: Tensor, normalizer_gradient: Tensor) -> None:
        """Of CE, and of whatever else depends on the log-normaliser; the probabilities are used up."""
        weights, share = self.plan.weights(self.log_probs), self.plan.label_smoothing
        factor, shift = weights + normalizer_gradient, share / projection.shape[1] * weights
        # The label's own entry, p - 1, is a small difference where the model is right: not from what was rounded.
        label_gradient = weights * (self.log_probs.expm1() + share) - shift
        label_gradient = label_gradient + normalizer_gradient * self.log_probs.exp()
        label_gradient = label_gradient * self.plan.transform.derivative(self.label_logits)
        if self.plan.transform.is_identity and not share:
            torch.mul(self.probs, factor.unsqueeze(1), out=projection)
        else:
            gradient = self.probs.mul_(factor.unsqueeze(1)).sub_(shift.unsqueeze(1))
            projection.copy_(gradient.mul_(self.plan.transform.derivative(self.logits)))
        projection.scatter_(1, self.labels, label_gradient.to(projection.dtype).unsqueeze(1))


class _Numbers:
    """The number loss, and its gradient by autograd: a few columns, whatever the loss."""

    def __init__(self, softmax: _Softmax, target: Tensor, plan: HeadPlan, scale: Tensor | None) -> None:
        number_logits, log_normalizer = softmax.number_logits.detach(), softmax.log_normalizer.detach()
        with torch.set_grad_enabled(scale is not None):
            number_logits.requires_grad_(scale is not None)
            log_normalizer.requires_grad_(scale is not None)
            log_mass = log_number_mass(number_logits, log_normalizer, target)
            losses = plan.number_loss(number_logits, target, log_mass)
        self.losses, self.log_mass = losses.detach(), log_mass.detach()
        self.gradient: Tensor | None = None
        self.normalizer_gradient = torch.zeros_like(self.losses)
        if scale is not None:
            # A loss that does not look at the mass does not depend on the normaliser.
            gradients = torch.autograd.grad(
                losses, (number_logits, log_normalizer), torch.ones_like(losses), materialize_grads=True
            )
            self.gradient, self.normalizer_gradient = (gradient * scale for gradient in gradients)
            self.gradient = self.gradient * plan.transform.derivative(softmax.number_logits)
