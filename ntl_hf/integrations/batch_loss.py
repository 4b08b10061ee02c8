"""`BatchLoss`: CE + weight * NTL of one micro-batch, where nobody has counted the number tokens of the step."""

from typing import Any

import torch
from torch import Tensor

from ..head import head_from_logits
from ..losses import reduce_losses
from ..losses.objective import NTLObjective
from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..trainers.checks import check_labels
from .weight_callback import WeightCallback


class BatchLoss:
    """Cross entropy and the number loss of logits, scaled to their share of the optimizer step.

    With n labels in the micro-batch and N in the step (`num_items`), it is (sum of CE + weight * n * mean of NTL) / N.
    CE is exact however the step is split. NTL is exact in a step of one micro-batch, and where all micro-batches have
    the same share of number tokens among their labels; otherwise each counts by its labels instead of its numbers.

    Args:
        tokenizer: a Hugging Face tokenizer, or its `NumberVocab`.
        config: the settings; None takes the defaults.
        callback: has the schedule of the weight, and is told of every call.

    Attributes:
        first_batch_checked: False before the first batch, whose labels are compared with the vocabulary.

    Raises:
        ValueError: settings that only the trainers of this package can follow.
        NoNumberTokensError: the tokenizer has no number tokens.
    """

    def __init__(self, tokenizer: Any, config: NTLConfig | None, callback: WeightCallback) -> None:
        config = NTLConfig() if config is None else config
        _check_config(config)
        self.config, self.callback = config, callback
        self.vocab, syntax = _numbers_of(tokenizer, config)
        self.objective = NTLObjective(self.vocab, config, syntax)
        self.first_batch_checked = False

    def __call__(self, logits: Tensor, labels: Tensor, num_items: Tensor | int | None = None) -> Tensor:
        """The loss of one micro-batch.

        Args:
            logits: `[B, T, V]`, any float dtype.
            labels: `[B, T]`, int64, aligned with the logits, -100 where there is none.
            num_items: labels of the whole step, over all processes; None takes those of this batch.

        Returns:
            Scalar, float32 (float64 for float64 logits). 0, with a gradient of 0, without labels.

        Raises:
            ValueError: logits too narrow for the number tokens, labels outside the vocabulary (in the first batch),
                counts of several devices in one process, or a schedule of the weight that nobody follows.
        """
        self._check(logits, labels, num_items)
        weight = self.config.scale * self.callback.current_factor()
        head = head_from_logits(logits, self.objective.targets(labels))
        count = head.label_mask.sum()
        total = self.objective.cross_entropy_sum(head)
        smoothing = self.objective.smoothing_sum(head)
        if smoothing is not None:
            total = total + smoothing
        if weight > 0:
            mean = reduce_losses(self.objective.number_losses(head), head.target >= 0)
            total = total + weight * (count * mean)
        return total / torch.as_tensor(count if num_items is None else num_items, device=total.device).clamp(min=1)

    def _check(self, logits: Tensor, labels: Tensor, num_items: Tensor | int | None) -> None:
        if torch.is_tensor(num_items) and num_items.numel() > 1:
            raise ValueError(
                "The number loss does not support `nn.DataParallel`, which the Trainer falls back to when one process "
                "sees several GPUs. Start with `accelerate launch` or `torchrun`, or set `CUDA_VISIBLE_DEVICES`."
            )
        if self.first_batch_checked:
            return
        self.vocab.check_fits(logits.shape[-1])
        check_labels(labels, logits.shape[-1])  # once: it reads values back from the device
        self.first_batch_checked = True


def _numbers_of(tokenizer: Any, config: NTLConfig) -> tuple[NumberVocab, NumberSyntax | None]:
    if not isinstance(tokenizer, NumberVocab):
        vocab = NumberVocab.from_tokenizer(tokenizer, config.digits_only)
        return vocab, NumberSyntax.from_tokenizer(tokenizer, vocab) if config.reads_text else None
    if config.reads_text:
        raise ValueError(
            f"The loss '{config.loss}' with `place_weights='{config.place_weights}'` reads how numbers are written: "
            "pass the tokenizer instead of a `NumberVocab`."
        )
    return tokenizer, None


def _check_config(config: NTLConfig) -> None:
    """Raise `ValueError` for settings that need to know the whole step, or the hidden states."""
    if config.balance != "none":
        raise ValueError(
            "`balance` is made over whole steps, which a loss of single batches does not see. Use `NTLTrainer` (or "
            "`NTLSFTTrainer`, `NTLSeq2SeqTrainer`), or set it to 'none'."
        )
    if config.head == "fused":
        raise ValueError(
            "`head='fused'` makes the loss from hidden states; this one is made from the model's logits. Use "
            "`NTLTrainer` or `NTLSFTTrainer`, or set it to 'auto'."
        )
