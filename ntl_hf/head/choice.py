"""`HeadChoice`: whether a trainer makes its loss from hidden states or from logits, and why."""

import logging
from typing import Any

from torch import nn

from .fused import UnsupportedHeadError, find_head

logger = logging.getLogger(__name__)


class HeadChoice:
    """Starts with what the setting says and the model allows; `fall_back` leaves the fused head behind.

    Args:
        setting: "auto", "fused" or "logits", see `NTLConfig.head`.
        model: the model, adapted or not.
        needs_logits: why the trainer cannot do without the logits, or None.

    Raises:
        ValueError: "fused" was asked for and is impossible.
    """

    def __init__(self, setting: str, model: nn.Module, needs_logits: str | None = None) -> None:
        self.setting = setting
        self.is_fused = setting != "logits"
        self.reason = f"`ntl_head` is '{setting}'"
        if self.is_fused:
            reason = needs_logits or _why_unsupported(model)
            if reason is not None:
                self.fall_back(reason)

    def fall_back(self, reason: str) -> None:
        """Use the logits from now on.

        Raises:
            ValueError: "fused" was asked for.
        """
        if self.setting == "fused":
            raise ValueError(f"`ntl_head` is 'fused', but {reason}. Set it to 'auto' or 'logits'.")
        self.is_fused, self.reason = False, reason

    def describe(self, batch_shape: Any, vocab_size: int) -> str:
        """One line on what was chosen and why; `batch_shape` is that of the labels, `[B, T]`."""
        rows, length = batch_shape
        memory = f"{4 * rows * length * vocab_size / 2**20:,.0f} MiB in float32"
        logits = f"logits of {rows} x {length} positions x {vocab_size:,} tokens ({memory})"
        return f"fused head, no {logits}" if self.is_fused else f"loss from the {logits}: {self.reason}"


def _why_unsupported(model: nn.Module) -> str | None:
    try:
        find_head(model)
    except UnsupportedHeadError as error:
        return str(error)
    return None
