"""One block of logits: the values of its positions, and the gradient of their loss."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...losses import log_number_mass
from .plan import HeadPlan


@dataclass
class BlockResult:
    """What `differentiate_block` makes of r positions, float32 (float64 for float64).

    Attributes:
        values: `[r, len(VALUES) + D]`.
        gradient: gradient of the loss with respect to the projection, `[r, V]`, that of the number loss through the
            number logits left out; None if none was wanted.
        number_gradient: the rest of it, `[r, D]`. In half precision it could be out of range before the loss is
            scaled, so it goes its own way in float32. None without a number loss.
    """

    values: Tensor
    gradient: Tensor | None = None
    number_gradient: Tensor | None = None


def differentiate_block(
    projection: Tensor,
    labels: Tensor,
    target: Tensor,
    number_ids: Tensor,
    plan: HeadPlan,
    ntl_scale: Tensor | None,
    with_gradient: bool,
) -> BlockResult:
    """Values of r positions and, if wanted, the gradient of CE + ntl_scale * NTL summed over them.

    Args:
        projection: `[r, V]`, any float dtype; a float32 one is used up.
        labels: `[r]`, token ids.
        target: column of the label among the number tokens, `[r]`; -1 where it is not a number.
        number_ids: `[D]`.
        plan: what is computed.
        ntl_scale: factor of the number loss beside CE, scalar; None leaves it out of the loss.
        with_gradient: whether a gradient is wanted.
    """
    softmax = _Softmax(plan.transform(projection), labels, number_ids, plan)
    numbers = _Numbers(softmax, target, plan, ntl_scale if with_gradient else None)
    result = BlockResult(torch.cat([torch.stack(softmax.values(numbers), 1), softmax.number_logits], 1))
    if with_gradient:
        if numbers.gradient is not None:
            result.number_gradient = numbers.gradient * plan.transform.derivative(softmax.number_logits)
        result.gradient = softmax.gradient(plan.weights(softmax.log_probs), numbers.normalizer_gradient)
    return result


class _Softmax:
    """The distribution over the vocabulary; `logits` is used up."""

    def __init__(self, logits: Tensor, labels: Tensor, number_ids: Tensor, plan: HeadPlan) -> None:
        self.plan, self.labels = plan, labels
        label_logits = logits.gather(1, labels.unsqueeze(1)).squeeze(1)
        self.number_logits = logits.index_select(1, number_ids)
        self.peak, self.top = logits.max(1) if plan.metrics else (logits.amax(1), None)
        mean_logits = logits.mean(1) if plan.label_smoothing else None
        # In place: these are the largest buffers of the block, and the exponential is wanted beside its argument.
        self.relative_logits = logits.sub_(self.peak.unsqueeze(1))
        self.exponentials = self.relative_logits.exp()
        self.total = self.exponentials.sum(1)
        self.log_normalizer = self.peak + self.total.log()
        self.log_probs = label_logits - self.log_normalizer
        self.mean_log_probs = (
            torch.zeros_like(self.total) if mean_logits is None else mean_logits - self.log_normalizer
        )

    def values(self, numbers: "_Numbers") -> list[Tensor]:
        """In the order of `VALUES`, `[r]` each."""
        entropy = is_top1 = torch.zeros_like(self.total)
        if self.top is not None:
            expected = torch.linalg.vecdot(self.exponentials, self.relative_logits) / self.total
            entropy, is_top1 = self.total.log() - expected, (self.top == self.labels).to(entropy.dtype)
        return [self.log_probs, numbers.log_mass, numbers.losses, self.mean_log_probs, entropy, is_top1]

    def gradient(self, weights: Tensor, normalizer_gradient: Tensor) -> Tensor:
        """Of CE, weighed, and of whatever depends on the log-normaliser, with respect to the projection, `[r, V]`."""
        share = self.plan.label_smoothing
        result = self.exponentials.mul_(((weights + normalizer_gradient) / self.total).unsqueeze(1))
        result.scatter_add_(1, self.labels.unsqueeze(1), ((share - 1) * weights).unsqueeze(1))
        if share:
            result.sub_((share / result.shape[1] * weights).unsqueeze(1))
        if not self.plan.transform.is_identity:
            result.mul_(self.plan.transform.derivative(self.relative_logits.add_(self.peak.unsqueeze(1))))
        return result


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
