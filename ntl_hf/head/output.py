"""`HeadOutput`: what a forward pass gives to the objective."""

from dataclasses import dataclass

from torch import Tensor

IGNORE_INDEX = -100


@dataclass
class HeadOutput:
    """Number logits and label log-probabilities at every position of a batch, aligned with the labels.

    Attributes:
        log_probs: log-probability of the label, `[B, T]`, float32; 0 where the label is -100.
        label_mask: whether there is a label, `[B, T]`, bool.
        target: column of the label among the number tokens, `[B, T]`, int64; -1 where it is not a number.
        number_logits: logits of the D number tokens, `[B, T, D]`, float32.
        log_mass: log-probability on all number tokens, `[B, T]`, float32; 0 where the label is not a number.
        mean_log_probs: log-probability averaged over the vocabulary, `[B, T]`, float32; 0 where the label is -100.
            Only there for label smoothing.
    """

    log_probs: Tensor
    label_mask: Tensor
    target: Tensor
    number_logits: Tensor
    log_mass: Tensor
    mean_log_probs: Tensor | None = None
