"""CE + weight * NTL: what is added, what it is divided by, and the logged components. CE may have soft targets."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .config import NTLConfig
from .head import HeadOutput
from .losses import GaussianSmoothing, NumberLoss, gaussian_targets
from .number_vocab import NumberVocab

# What is summed over positions, for the log.
_CE, _TOKENS, _NTL, _NUMBERS, _MASS, _ERROR = range(6)
COMPONENT_NAMES = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")


@dataclass(frozen=True)
class LossFactors:
    """loss = ce * (sum of CE) + ntl * (sum of NTL), both scalars on the device; `ntl` is None at weight 0."""

    ce: Tensor
    ntl: Tensor | None

    @property
    def ntl_scale(self) -> Tensor | None:
        """The factor of NTL beside CE: loss = ce * (sum of CE + ntl_scale * sum of NTL)."""
        return None if self.ntl is None else self.ntl / self.ce


class NTLObjective:
    """The two parts of the loss as sums over positions; whoever knows the counts divides them.

    Args:
        vocab: the number tokens.
        config: the settings.
    """

    def __init__(self, vocab: NumberVocab, config: NTLConfig) -> None:
        self.vocab = vocab
        self.config = config
        sigma = config.gaussian_sigma
        soft_targets = gaussian_targets(vocab.values, vocab.forms, sigma) if sigma > 0 else None
        self.number_loss = NumberLoss(config, vocab.values, soft_targets)
        self.smoothing = None if soft_targets is None else GaussianSmoothing(soft_targets)

    def number_losses(self, head: HeadOutput) -> Tensor:
        """The number loss at each position, `[B, T]`, float32, 0 where the label is not a number."""
        if head.number_losses is not None:
            return head.number_losses
        return self.losses_at(head.number_logits, head.target, head.log_mass)

    def losses_at(self, number_logits: Tensor, target: Tensor, log_mass: Tensor) -> Tensor:
        """The number loss at each position, see `NumberLoss.forward`; its constants follow the device."""
        return _on_device_of(number_logits, self.number_loss)(number_logits, target, log_mass)

    def smoothing_sum(self, head: HeadOutput) -> Tensor | None:
        """What Gaussian label smoothing adds to the sum of CE, scalar, float32; None without it."""
        if self.smoothing is None:
            return None
        if head.smoothing_terms is not None:
            return head.smoothing_terms.sum()
        return self.smoothing_at(head.number_logits, head.target).sum()

    def smoothing_at(self, number_logits: Tensor, target: Tensor) -> Tensor:
        """The same at each position, see `GaussianSmoothing.forward`; its constants follow the device."""
        return _on_device_of(number_logits, self.smoothing)(number_logits, target)

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


def _on_device_of(tensor: Tensor, module: Any) -> Any:
    if next(module.buffers()).device != tensor.device:
        module.to(tensor.device)
    return module


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
