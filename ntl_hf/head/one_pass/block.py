"""One block of the projection: the softmax of its positions, and the gradient of their loss in its place."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...tokens.number_layout import NumberLayout
from .numbers import differentiate_numbers
from .plan import HeadPlan, PassTask


@dataclass(frozen=True)
class BlockValues:
    """What is known of r positions, `[r]` each, float32 (float64 for float64); 0 where the plan does not want it."""

    log_normalizer: Tensor
    log_probs: Tensor
    mean_log_probs: Tensor
    entropy: Tensor
    is_top1: Tensor
    watched_logits: Tensor  # [r, W]


def differentiate_block(
    projection: Tensor, labels: Tensor, target: Tensor, task: PassTask, layout: NumberLayout | None = None
) -> BlockValues:
    """Values of r positions and, if wanted, the gradient of CE + ntl_scale * NTL summed over them.

    The gradient that reaches the watched columns through their logits is left out: see `differentiate_numbers`.

    Args:
        projection: `[r, V]`, any float dtype; overwritten by the gradient.
        labels: `[r]`, token ids.
        target: column of the label among the number tokens, `[r]`; -1 where it is not a number.
        task: what is the same for all blocks.
        layout: where the positions stand in their numbers; None where the loss does not look.
    """
    softmax = _Softmax(projection, labels, task.watched_ids, task.plan)
    values = softmax.values()
    if task.with_gradient:
        normalizer_gradient = None
        if task.plan.uses_mass and task.ntl_scale is not None:
            numbers = differentiate_numbers(values.watched_logits, values.log_normalizer, target, task, layout)
            normalizer_gradient = numbers.normalizer_gradient
        softmax.write_gradient(projection, normalizer_gradient)
    return values


class _Softmax:
    """The distribution over the vocabulary, in as few passes over the block as will do."""

    def __init__(self, projection: Tensor, labels: Tensor, watched_ids: Tensor, plan: HeadPlan) -> None:
        self.plan, self.labels = plan, labels.unsqueeze(1)
        # In half precision only the columns that are looked at become float32, unless the model has a transform.
        self.logits = projection if plan.transform.is_identity else plan.transform(projection)
        full = torch.promote_types(projection.dtype, torch.float32)
        self.watched_logits = self.logits.index_select(1, watched_ids).to(full)
        self.label_logits = self.logits.gather(1, self.labels).squeeze(1).to(full)
        peak, self.top = self.logits.max(1)
        self.probs = self.logits.softmax(1, dtype=full)
        # The largest probability is 1 / V at least: no other gives the normaliser as exactly.
        self.log_normalizer = peak.to(full) - self.probs.gather(1, self.top.unsqueeze(1)).squeeze(1).log()
        self.log_probs = self.label_logits - self.log_normalizer

    def values(self) -> BlockValues:
        mean_log_probs = entropy = is_top1 = torch.zeros_like(self.log_probs)
        if self.plan.label_smoothing:
            mean_log_probs = self.logits.mean(1, dtype=self.probs.dtype) - self.log_normalizer
        if self.plan.metrics:
            entropy = self.log_normalizer - torch.linalg.vecdot(self.probs, self.logits.to(self.probs.dtype))
            is_top1 = (self.top == self.labels.squeeze(1)).to(entropy.dtype)
        return BlockValues(self.log_normalizer, self.log_probs, mean_log_probs, entropy, is_top1, self.watched_logits)

    def write_gradient(self, projection: Tensor, normalizer_gradient: Tensor | None) -> None:
        """Of CE, and of what else depends on the log-normaliser; the probabilities are used up."""
        weights, share = self.plan.weights(self.log_probs), self.plan.label_smoothing
        factor, shift = weights, share / projection.shape[1] * weights
        # The label's own entry, p - 1, is a small difference where the model is right: not from what was rounded.
        label_gradient = weights * (self.log_probs.expm1() + share) - shift
        if normalizer_gradient is not None:
            factor = weights + normalizer_gradient
            label_gradient = label_gradient + normalizer_gradient * self.log_probs.exp()
        label_gradient = label_gradient * self.plan.transform.derivative(self.label_logits)
        if self.plan.transform.is_identity and not share:
            torch.mul(self.probs, factor.unsqueeze(1), out=projection)
        else:
            gradient = self.probs.mul_(factor.unsqueeze(1)).sub_(shift.unsqueeze(1))
            projection.copy_(gradient.mul_(self.plan.transform.derivative(self.logits)))
        projection.scatter_(1, self.labels, label_gradient.to(projection.dtype).unsqueeze(1))
