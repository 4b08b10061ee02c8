"""`HeadPlan`: what the one pass makes at each position, and `PassTask`: what one of them is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import torch
from torch import Tensor

from ...tokens.number_layout import NumberLayout, NumberSyntax
from ...tokens.number_vocab import NumberVocab
from ..transform import LogitTransform

# Number logits [n, D], columns [n] (-1 = no number), log of the number mass [n] and, where the plan has a syntax, the
# layout of the n positions -> losses [n]. With a syntax, the logits of the marks follow: [n, D + F].
NumberLossFunction = Callable[[Tensor, Tensor, Tensor, NumberLayout | None], Tensor]
# Number logits [n, D] and columns [n] -> what soft targets add to the cross entropy [n].
SmoothingFunction = Callable[[Tensor, Tensor], Tensor]

# The values of a position, in this order; after them come its number logits, and those of the marks.
VALUES = (
    "log_normalizer",
    "log_probs",
    "log_mass",
    "number_losses",
    "smoothing_terms",
    "mean_log_probs",
    "entropy",
    "is_top1",
)


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """What is computed at each labelled position; it stays the same over a training run.

    Attributes:
        vocab: the number tokens.
        number_loss: the number loss.
        transform: what the model does between its output projection and its logits.
        uses_mass: whether the number loss depends on the number mass (reweighing).
        label_smoothing: share of the label's probability that goes to the whole vocabulary.
        dft: weigh CE by the label's probability, taken as a constant (Dynamic Fine-Tuning, arXiv 2508.05629).
        smoothing: what soft targets of the number tokens add to CE; None: the label alone is the target.
        syntax: how numbers are written, for a loss that looks at whole numbers; None: at single tokens.
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
    syntax: NumberSyntax | None = None
    metrics: bool = False
    key: int = field(default_factory=count().__next__, init=False)

    def watched_ids(self, device: torch.device) -> Tensor:
        """Token ids whose logits the number loss sees, `[D]`, or `[D + F]` with the marks."""
        return self.vocab.ids_on(device) if self.syntax is None else self.syntax.watched_ids(device)

    @property
    def num_watched(self) -> int:
        """How many these are."""
        return len(self.vocab) + (0 if self.syntax is None else len(self.syntax.mark_ids))

    def cross_entropy(self, log_probs: Tensor, mean_log_probs: Tensor) -> Tensor:
        """CE of each position, smoothed and weighed, `[n]`."""
        share = self.label_smoothing
        return -self.weights(log_probs) * ((1 - share) * log_probs + share * mean_log_probs)

    def weights(self, log_probs: Tensor) -> Tensor:
        """Weight of the CE of each position, `[n]`."""
        return log_probs.exp() if self.dft else log_probs.new_ones(log_probs.shape)


@dataclass(frozen=True)
class PassTask:
    """What one pass computes; the same for all of its blocks.

    Attributes:
        plan: what is computed.
        watched_ids: see `HeadPlan.watched_ids`.
        ntl_scale: factor of the number loss beside CE, scalar; None leaves it out of the loss.
        with_gradient: whether a gradient is wanted.
    """

    plan: HeadPlan
    watched_ids: Tensor
    ntl_scale: Tensor | None
    with_gradient: bool
