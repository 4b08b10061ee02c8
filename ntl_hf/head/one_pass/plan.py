"""`HeadPlan`: what the one pass makes at each labelled position."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from torch import Tensor

from ...tokens.number_layout import NumberLayout
from ...tokens.number_vocab import NumberVocab
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
