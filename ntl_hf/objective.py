"""CE + weight * NTL: what is added, what it is divided by, and the logged components."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .config import NTLConfig
from .head import HeadOutput
from .losses import NumberLoss
from .number_vocab import NumberVocab

# What is summed over positions, for the log.
_CE, _TOKENS, _NTL, _NUMBERS, _MASS, _ERROR = range(6)
COMPONENT_NAMES = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")


class NTLObjective:
    """The two parts of the loss as sums over positions; whoever knows the counts divides them.

    Args:
        vocab: the number tokens.
        config: the settings.
    """

    def __init__(self, vocab: NumberVocab, config: NTLConfig) -> None:
        self.vocab = vocab
        self.config = config
        self.number_loss = NumberLoss(config, vocab.values)

    def number_losses(self, head: HeadOutput) -> Tensor:
        """The number loss at each position, `[B, T]`, float32, 0 where the label is not a number."""
        self.number_loss.to(head.number_logits.device)
        return self.number_loss(head.number_logits, head.target, head.log_mass)

    @staticmethod
    def cross_entropy_sum(head: HeadOutput, label_smoothing: float = 0.0) -> Tensor:
        """Cross entropy summed over labelled positions, scalar, float32.

        With smoothing e it is (1 - e) * CE + e * U, U the cross entropy to the uniform distribution over the
        vocabulary, as in `transformers`.
        """
        if not label_smoothing:
            return -head.log_probs.sum()
        if head.mean_log_probs is None:
            raise ValueError("Label smoothing needs the log-probabilities averaged over the vocabulary.")
        return -((1 - label_smoothing) * head.log_probs.sum() + label_smoothing * head.mean_log_probs.sum())

    @staticmethod
    def mean(total: Tensor, count: Tensor | int) -> Tensor:
        """A sum over positions divided by how many count; 0 where none does, instead of 0 / 0."""
        return total / torch.as_tensor(count, device=total.device).clamp(min=1)

    @torch.no_grad()
    def component_sums(self, head: HeadOutput, number_losses: Tensor) -> Tensor:
        """What `ComponentMeter` adds up: six sums over the positions of each row, `[B, 6]`, float64."""
        is_number = head.target >= 0
        parts = [
            -head.log_probs,
            head.label_mask,
            number_losses,
            is_number,
            head.log_mass.masked_fill(~is_number, -torch.inf).exp(),
            self.number_loss.absolute_error(head.number_logits, head.target),
        ]
        # float32 would stop counting at 16.7 million tokens; Apple's devices have no float64.
        dtype = torch.float32 if head.log_probs.device.type == "mps" else torch.float64
        return torch.stack([part.sum(-1, dtype=dtype) for part in parts], dim=-1)


class ComponentMeter:
    """Adds up the components on the device, step by step, and gathers them from all processes once per log."""

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    def add(self, sums: Tensor) -> None:
        """Add the sums of the rows of one batch, `[B, 6]` (`NTLObjective.component_sums`)."""
        total = sums.sum(0)
        self._sums = total if self._sums is None else self._sums + total

    def flush(self, gather: Callable[[Tensor], Tensor] | None = None) -> dict[str, float]:
        """The means since the last flush, over all processes; empty if nothing was added.

        Args:
            gather: stacks a tensor `[1, 6]` of each process to `[processes, 6]`, as `Accelerator.gather` does. It is
                a collective call: all processes flush together. None if the sums are of all processes already.
        """
        if self._sums is None:
            return {}
        sums = self._sums.unsqueeze(0)
        total = (sums if gather is None else gather(sums)).double().sum(0).tolist()
        self._sums = None
        return _means(total)


def _means(total: list[float]) -> dict[str, float]:
    """Names and values for the log; what is a mean over number tokens is NaN where there was none."""
    tokens, numbers = max(total[_TOKENS], 1), total[_NUMBERS]
    means = (
        total[_CE] / tokens,
        total[_NTL] / max(numbers, 1),
        total[_MASS] / numbers if numbers else math.nan,
        total[_ERROR] / numbers if numbers else math.nan,
        numbers / tokens,
    )
    return dict(zip(COMPONENT_NAMES, means, strict=True))
