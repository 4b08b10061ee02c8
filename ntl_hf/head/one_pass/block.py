"""What is made of the projection: the softmax of a block of positions, their number loss, and the gradient of both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import torch
from torch import Tensor

from ...losses import log_number_mass
from ...tokens.number_layout import NumberLayout
from ...tokens.number_vocab import NumberVocab
from ...tokens.targets import Targets
from ..transform import LogitTransform

# Number logits [n, D], columns [n] (-1 = no number), log of the number mass [n] and, where the loss looks, the layout
# of the n positions -> losses [n]. With a layout, the logits of the marks follow: [n, D + F].
NumberLossFunction = Callable[[Tensor, Tensor, Tensor, NumberLayout | None], Tensor]
# Number logits [n, D] and columns [n] -> what soft targets add to the cross entropy [n].
SmoothingFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """What is computed; it stays the same over a training run.

    Attributes:
        vocab: the number tokens.
        number_loss: the number loss.
        transform: what the model does between its output projection and its logits.
        uses_mass: whether the number loss depends on the number mass (reweighing).
        label_smoothing: share of the label's probability that goes to the whole vocabulary.
        dft: weigh CE by the label's probability, taken as a constant (Dynamic Fine-Tuning, arXiv 2508.05629).
        smoothing: what soft targets of the number tokens add to CE; None: the label alone is the target.
        metrics: also make the entropy, and whether the label is the most likely token; 0 otherwise.
        key: a number of its own.
    """

    vocab: NumberVocab
    number_loss: NumberLossFunction
    transform: LogitTransform
    uses_mass: bool = False
    label_smoothing: float = 0.0
    dft: bool = False
    smoothing: SmoothingFunction | None = None
    metrics: bool = False
    key: int = field(default_factory=count().__next__, init=False)


# The values of a position, in this order; after them come its number logits, and those of the marks.
VALUES = (
    "log_normalizer",
    "log_probs",
    "mean_log_probs",
    "entropy",
    "is_top1",
    "log_mass",
    "number_losses",
    "smoothing_terms",
)
_OF_NUMBERS = slice(5, 8)
# Elements that a softmax works on at a time, in float32. On a CPU they are to stay in its cache (4 MiB), which makes a
# pass over them several times faster; elsewhere, starting many small kernels would cost more than it gains.
_CPU_ELEMENTS = 2**20
_ELEMENTS = 2**25


def slices(n: int, size: int) -> list[slice]:
    """`n` rows, `size` of them at a time, at least one."""
    return [slice(start, min(start + size, n)) for start in range(0, n, max(1, size))]


def row_blocks(matrix: Tensor) -> list[slice]:
    """The rows of `[n, V]`, as many at a time as a softmax should work on."""
    elements = _CPU_ELEMENTS if matrix.device.type == "cpu" else _ELEMENTS
    return slices(len(matrix), max(1, elements // max(1, matrix.shape[1])))


def differentiate_chunk(
    projection: Tensor, targets: Targets, plan: HeadPlan, sum_weight: Tensor | None, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Values of c positions and, if wanted, the gradient of CE + sum_weight * NTL summed over them.

    A loss that looks at whole numbers, which a chunk may cut, is left for later: its values are 0.

    Args:
        projection: `[c, V]`, any float dtype; overwritten by the gradient, without what reaches the watched columns
            through their logits.
        targets: of the c positions.
        plan: what is computed.
        sum_weight: weight of the sum of the number loss beside that of CE, scalar; None leaves it out of the loss.
        with_gradient: whether a gradient is wanted.

    Returns:
        `[c, len(VALUES) + W]`, float32 (float64 for float64), and that other part of the gradient, `[c, W]`: see
        `differentiate_numbers`.
    """
    full = torch.promote_types(projection.dtype, torch.float32)
    values = projection.new_zeros(len(projection), len(VALUES) + len(targets.watched_ids), dtype=full)
    for block in row_blocks(projection):
        _differentiate_block(projection[block], targets.select(block), plan, sum_weight, with_gradient, values[block])
    is_later = targets.layout is not None
    return values, None if is_later else differentiate_numbers(values, targets, plan, sum_weight, with_gradient)


def differentiate_numbers(
    values: Tensor, targets: Targets, plan: HeadPlan, sum_weight: Tensor | None, with_gradient: bool
) -> Tensor | None:
    """Fill in the number loss of n positions, their number mass and smoothing.

    Args:
        values: `[n, len(VALUES) + W]`, the logits in it.
        targets: of the n positions.
        plan, sum_weight, with_gradient: as of `differentiate_chunk`.

    Returns:
        The gradient of smoothing + sum_weight * NTL with respect to the watched columns of the projection, `[n, W]`,
        as far as it comes through the number logits; None if it is not wanted. In half precision it could be out of
        range before the loss is scaled, so it goes its own way.

    Raises:
        RuntimeError: the plan says that the loss does not look at the number mass, but it does.
    """
    found, gradient, _ = _numbers(values, targets, plan, sum_weight, with_gradient)
    values[:, _OF_NUMBERS] = found
    return gradient


def _numbers(
    values: Tensor, targets: Targets, plan: HeadPlan, sum_weight: Tensor | None, with_gradient: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Values of the numbers, `[n, 3]`, and gradients of the watched columns and of the log-normaliser, `[n]`."""
    with_gradient = with_gradient and (sum_weight is not None or plan.smoothing is not None)
    inputs = [x.detach().requires_grad_(with_gradient) for x in (values[:, len(VALUES) :], values[:, 0])]
    with torch.set_grad_enabled(with_gradient):
        number_logits = inputs[0][:, : len(plan.vocab.ids)]
        log_mass = log_number_mass(number_logits, inputs[1], targets.columns)
        losses = plan.number_loss(inputs[0], targets.columns, log_mass, targets.layout)
        smoothing = (
            torch.zeros_like(losses) if plan.smoothing is None else plan.smoothing(number_logits, targets.columns)
        )
        total = (smoothing if sum_weight is None else smoothing + sum_weight * losses).sum()
    found = torch.stack([log_mass.detach(), losses.detach(), smoothing.detach()], 1)
    if not with_gradient:
        return found, None, None
    gradient, normalizer_gradient = torch.autograd.grad(total, inputs, allow_unused=True)
    if normalizer_gradient is not None and not plan.uses_mass:
        raise RuntimeError("The number loss depends on the number mass: set `uses_mass=True` in the plan.")
    if gradient is not None and not plan.transform.is_identity:
        gradient = gradient * plan.transform.derivative(inputs[0].detach())
    return found, gradient, normalizer_gradient


def _differentiate_block(
    projection: Tensor,
    targets: Targets,
    plan: HeadPlan,
    sum_weight: Tensor | None,
    with_gradient: bool,
    values: Tensor,
) -> None:
    softmax = _Softmax(projection, targets, plan)
    softmax.write_values(values)
    if with_gradient:
        through_mass = plan.uses_mass and sum_weight is not None
        softmax.write_gradient(
            projection, _numbers(values, targets, plan, sum_weight, True)[2] if through_mass else None
        )


class _Softmax:
    """The distribution over the vocabulary, in as few passes over the block as will do."""

    def __init__(self, projection: Tensor, targets: Targets, plan: HeadPlan) -> None:
        self.plan, self.labels = plan, targets.labels.unsqueeze(1)
        # In half precision only the columns that are looked at become float32, unless the model has a transform.
        self.logits = projection if plan.transform.is_identity else plan.transform(projection)
        full = torch.promote_types(projection.dtype, torch.float32)
        self.watched_logits = self.logits.index_select(1, targets.watched_ids)
        self.label_logits = self.logits.gather(1, self.labels).squeeze(1).to(full)
        peak, self.top = self.logits.max(1)
        self.probs = self.logits.softmax(1, dtype=full)
        # The largest probability is 1 / V at least: no other gives the normaliser as exactly.
        self.log_normalizer = peak.to(full) - self.probs.gather(1, self.top.unsqueeze(1)).squeeze(1).log()
        self.log_probs = self.label_logits - self.log_normalizer

    def write_values(self, values: Tensor) -> None:
        """Into `[r, len(VALUES) + W]`; 0 stays where the plan does not want it."""
        values[:, 0], values[:, 1] = self.log_normalizer, self.log_probs
        if self.plan.label_smoothing:
            values[:, 2] = self.logits.mean(1, dtype=self.probs.dtype) - self.log_normalizer
        if self.plan.metrics:
            values[:, 3] = self.log_normalizer - torch.linalg.vecdot(self.probs, self.logits.to(self.probs.dtype))
            values[:, 4] = self.top == self.labels.squeeze(1)
        values[:, len(VALUES) :] = self.watched_logits

    def write_gradient(self, projection: Tensor, normalizer_gradient: Tensor | None) -> None:
        """Of CE, and of what else depends on the log-normaliser; the probabilities are used up."""
        transform, share = self.plan.transform, self.plan.label_smoothing
        weights = _weights(self.log_probs, self.plan)
        factor, shift = weights, share / projection.shape[1] * weights
        # The label's own entry, p - 1, is a small difference where the model is right: not from what was rounded.
        label_gradient = weights * (self.log_probs.expm1() + share) - shift
        if normalizer_gradient is not None:
            factor = weights + normalizer_gradient
            label_gradient = label_gradient + normalizer_gradient * self.log_probs.exp()
        if not transform.is_identity:
            label_gradient = label_gradient * transform.derivative(self.label_logits)
        if transform.is_identity and not share:
            torch.mul(self.probs, factor.unsqueeze(1), out=projection)
        else:
            gradient = self.probs.mul_(factor.unsqueeze(1)).sub_(shift.unsqueeze(1))
            projection.copy_(gradient.mul_(transform.derivative(self.logits)))
        projection.scatter_(1, self.labels, label_gradient.to(projection.dtype).unsqueeze(1))


def cross_entropies(log_probs: Tensor, mean_log_probs: Tensor, plan: HeadPlan) -> Tensor:
    """CE of each position, smoothed and weighed, `[n]`."""
    share = plan.label_smoothing
    return -_weights(log_probs, plan) * ((1 - share) * log_probs + share * mean_log_probs)


def _weights(log_probs: Tensor, plan: HeadPlan) -> Tensor:
    """Weight of the CE of each position, `[n]`."""
    return log_probs.exp() if plan.dft else torch.ones_like(log_probs)
