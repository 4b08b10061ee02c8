"""What a model believes of the true answers: cross entropy and number metrics, without generating."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from tqdm.auto import tqdm

from ..data import right_padding_collator
from ..head import head_from_logits
from ..losses import expected_value, number_probs
from ..losses.head_output import HeadOutput
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import align_labels, make_targets
from .digit_calibration import calibration_gaps, score_calibration
from .score import Score
from .token_metrics import score_ratio, score_tokens

# Differences between the digit that is believed in and the true one; larger vocabularies have others too.
OFFSETS = range(-9, 10)


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
    sums = TokenSums()
    with tqdm(total=len(rows), desc="Scoring the true answers", unit="row") as bar:
        for batch in _batches(tokenizer, rows, batch_size):
            _add(sums, _head(model, batch.to(model.device), vocab), vocab)
            bar.update(len(batch["labels"]))
    return sums


def _batches(tokenizer: Any, rows: Dataset, batch_size: int) -> Iterator[Any]:
    """Rows of similar length, the longest first, as in generation."""
    collator = right_padding_collator(tokenizer)
    lengths = [len(ids) for ids in rows["input_ids"]]
    order = sorted(range(len(rows)), key=lambda i: -lengths[i])
    for start in range(0, len(rows), batch_size):
        yield collator([rows[i] for i in order[start : start + batch_size]])


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


def score_sums(sums: TokenSums, **bootstrap: Any) -> dict[str, Score]:
    """The metrics of `score_tokens`; those over number tokens; and how many rows there were.

    Over number tokens: `number_mae`, `number_mass`, `digit_nll` (nats a token) and `digit_ece` (see
    `score_calibration`).

    Args:
        sums: see `teacher_forced_sums`.
        bootstrap: `confidence`, `resamples`, `seed`, as of `score_tokens`.
    """
    number_tokens = {
        "teacher_forced_rows": Score(len(sums.tokens)),
        "number_mae": score_ratio(sums.number_error, sums.numbers, **bootstrap),
        "number_mass": score_ratio(sums.number_mass, sums.numbers, **bootstrap),
        "digit_nll": score_ratio(sums.number_nll, sums.numbers, **bootstrap),
        "digit_ece": score_calibration(sums.calibration_gaps, sums.numbers, **bootstrap),
    }
    return {**score_tokens(sums.cross_entropy, sums.tokens, sums.right, **bootstrap), **number_tokens}
