"""Metrics of the true answers, without generating: cross entropy, and errors and calibration of digits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from ..data import right_padding_collator
from ..decoding.batches import longest_first
from ..head import head_from_logits
from ..losses import expected_value, number_probs
from ..losses.head_output import HeadOutput
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import align_labels, make_targets
from .bootstrap import Array, Bootstrap, Score, ratio, score
from .text_metrics import score_tokens

# Differences between the digit that is believed in and the true one; larger vocabularies have others too.
OFFSETS = range(-9, 10)
BINS = 10


@dataclass
class TokenSums:
    """Sums over the labelled tokens of each row, in the order in which they were run.

    Attributes:
        cross_entropy: in nats.
        tokens, right: how many there are, and how many the model ranks first.
        numbers: how many are number tokens.
        number_error: |expected value - true value|, in the unit of the values.
        number_mass: probability on all number tokens.
        number_nll: -log p(label) at number tokens, in nats.
        calibration_gaps: ten sums, see `calibration_gaps`.
        offsets: probability among the number tokens of a value that is off by -9, ..., 9, over all rows, `[19]`.
    """

    cross_entropy: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    number_error: list[float] = field(default_factory=list)
    number_mass: list[float] = field(default_factory=list)
    number_nll: list[float] = field(default_factory=list)
    calibration_gaps: list[list[float]] = field(default_factory=list)
    offsets: Tensor = field(default_factory=lambda: torch.zeros(len(OFFSETS), dtype=torch.float64))

    def number_distribution(self) -> dict[str, list[float]] | None:
        """Mean probability by offset from the true value: `offset` and `probability`; None without numbers."""
        count = sum(self.numbers)
        return {"offset": list(OFFSETS), "probability": (self.offsets / count).tolist()} if count else None


def teacher_forced_sums(model: Any, tokenizer: Any, rows: Dataset, vocab: NumberVocab, batch_size: int) -> TokenSums:
    """Run the model over the true answers.

    Args:
        model: a decoder or an encoder-decoder, in evaluation mode.
        tokenizer: its tokenizer, with a padding token.
        rows: `input_ids` and `labels`, as `TextEncoder.encode` makes them.
        vocab: the number tokens.
        batch_size: rows at a time.
    """
    sums, collator = TokenSums(), right_padding_collator(tokenizer)
    lengths = [len(ids) for ids in rows["input_ids"]]
    for chosen in longest_first(lengths, batch_size, "Scoring the true answers"):
        batch = collator([rows[row] for row in chosen])
        _add(sums, _head(model, batch.to(model.device), vocab), vocab)
    return sums


@torch.inference_mode()
def _head(model: Any, batch: Any, vocab: NumberVocab) -> HeadOutput:
    labels, is_seq2seq = batch["labels"], model.config.is_encoder_decoder
    # An encoder-decoder makes its decoder's inputs from the labels; a decoder would only compute a loss.
    inputs = {name: value for name, value in batch.items() if is_seq2seq or name != "labels"}
    logits = model(**inputs, use_cache=False).logits
    targets = make_targets(align_labels(labels, logits.shape[1], not is_seq2seq), vocab)
    return head_from_logits(logits, targets, metrics=True)


def _add(sums: TokenSums, head: HeadOutput, vocab: NumberVocab) -> None:
    is_number, values = head.target >= 0, vocab.values.to(head.target.device)
    true = values[head.target.clamp_min(0)]
    error = (expected_value(head.number_logits, values) - true).abs() * is_number
    sums.cross_entropy += (-head.log_probs).sum(-1).tolist()
    sums.tokens += head.label_mask.sum(-1).tolist()
    assert head.is_top1 is not None
    sums.right += head.is_top1.sum(-1).tolist()
    sums.numbers += is_number.sum(-1).tolist()
    sums.number_error += error.sum(-1).tolist()
    sums.number_mass += (head.log_mass.exp() * is_number).sum(-1).tolist()
    sums.number_nll += (-head.log_probs * is_number).sum(-1).tolist()
    sums.calibration_gaps += calibration_gaps(head.number_logits, head.target).tolist()
    off = values - true[is_number].unsqueeze(-1)
    probs = number_probs(head.number_logits[is_number])
    sums.offsets += torch.stack([(probs * (off == offset)).sum() for offset in OFFSETS]).cpu().double()


def calibration_gaps(number_logits: Tensor, target: Tensor) -> Tensor:
    """By row and bin, the sum over number tokens of: is the likeliest number token the label, minus its probability.

    Args:
        number_logits: `[B, T, D]`.
        target: column of the label, `[B, T]`; -1 where it is not a number.

    Returns:
        `[B, 10]`, float64, on the CPU. Bin m holds probabilities above m / 10 up to (m + 1) / 10. They are among the
        number tokens: whether a number comes at all is the number mass's matter.
    """
    is_number = target >= 0
    confidence, likeliest = number_probs(number_logits).max(-1)
    gap = ((likeliest == target).to(confidence.dtype) - confidence) * is_number
    bins = ((confidence * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    sums = torch.zeros((len(target), BINS), dtype=torch.float64)
    return sums.scatter_add_(1, bins.cpu(), gap.double().cpu())


def score_sums(sums: TokenSums, **bootstrap: Unpack[Bootstrap]) -> dict[str, Score]:
    """The metrics of `score_tokens`; those over number tokens; and how many rows there were.

    Over number tokens: `number_mae`, `number_mass`, `digit_nll` (nats a token) and `digit_ece` (see
    `score_calibration`).

    Args:
        sums: see `teacher_forced_sums`.
        bootstrap: of the intervals over rows: `confidence` (0.95), `resamples` (1000; 0 for none) and `seed`.
    """
    counts = np.array(sums.numbers)
    of_numbers = {"number_mae": sums.number_error, "number_mass": sums.number_mass, "digit_nll": sums.number_nll}
    return {
        **score_tokens(sums.cross_entropy, sums.tokens, sums.right, **bootstrap),
        "teacher_forced_rows": Score(len(sums.tokens)),
        **{name: score(ratio, [np.array(column), counts], **bootstrap) for name, column in of_numbers.items()},
        "digit_ece": score_calibration(sums.calibration_gaps, sums.numbers, **bootstrap),
    }


def score_calibration(gaps: Sequence[Sequence[float]], counts: Sequence[int], **bootstrap: Unpack[Bootstrap]) -> Score:
    """Expected calibration error (Guo et al. 2017): the mean over bins, weighted by count, of |accuracy - confidence|.

    Over all number tokens at once: it is no mean over rows. The interval is that of resampled rows. With few tokens in
    a bin the error comes out too large, and larger still in the resamples.

    Args:
        gaps: of each row, its ten sums, see `calibration_gaps`.
        counts: of each row, its number tokens.
        bootstrap: of the intervals over rows: `confidence` (0.95), `resamples` (1000; 0 for none) and `seed`.
    """
    columns = np.array(gaps, dtype=float).reshape(-1, BINS).T
    return score(_calibration_error, [np.array(counts), *columns], **bootstrap)


def _calibration_error(counts: Array, *gaps: Array) -> Array:
    return np.asarray(sum(np.abs(gap.sum(axis=0)) for gap in gaps) / counts.sum(axis=0))
