"""`HeadOutput`: what a forward pass gives to the objective."""

from dataclasses import dataclass

from torch import Tensor

from ..tokens.number_layout import NumberLayout


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
        number_losses: the number loss, `[B, T]`, float32; only from the one pass, which makes it on the way.
        smoothing_terms: what soft targets of the number tokens add to the cross entropy, `[B, T]`, float32; only from
            the one pass, if it was to make them.
        mark_logits: logits of the points, commas and minus signs, `[B, T, F]`, float32; only for losses of whole
            numbers, like the next.
        layout: where each position stands in its number, of all B * T positions in a row.
        entropy: of the distribution over the vocabulary, `[B, T]`, nats, float32, without gradient; 0 where the label
            is -100. Only where metrics were asked for, like the next.
        is_top1: whether the label is the most likely token, `[B, T]`, bool.
    """

    log_probs: Tensor
    label_mask: Tensor
    target: Tensor
    number_logits: Tensor
    log_mass: Tensor
    mean_log_probs: Tensor | None = None
    number_losses: Tensor | None = None
    smoothing_terms: Tensor | None = None
    mark_logits: Tensor | None = None
    layout: NumberLayout | None = None
    entropy: Tensor | None = None
    is_top1: Tensor | None = None
