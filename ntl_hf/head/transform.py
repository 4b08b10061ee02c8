"""What a model does between its output projection and its logits."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

_FACTORS = ("logit_scale", "output_multiplier", "lm_head_multiplier")
_CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")


@dataclass(frozen=True)
class LogitTransform:
    """logits = softcap(scale * projection), softcap(x) = c * tanh(x / c) where the model has a cap c.

    Attributes:
        scale: factor of the projection.
        softcap: c, or None.
    """

    scale: float = 1.0
    softcap: float | None = None

    @classmethod
    def from_config(cls, config: Any) -> "LogitTransform":
        """Read the transform from a model's config.

        Cohere multiplies by `logit_scale`, Muse Glimmer by `output_multiplier`, Falcon-H1 by `lm_head_multiplier`;
        Granite divides by `logits_scaling`, HyperCLOVA X multiplies by it. Gemma's cap is
        `final_logit_softcapping`, RecurrentGemma's `logits_soft_cap`, xLSTM's `output_logit_soft_cap`.
        """
        text = config.get_text_config(decoder=True)
        factors = (_number(text, name) for name in _FACTORS)
        scale = next((factor for factor in factors if factor is not None), None)
        divisor = _number(text, "logits_scaling")
        if scale is None and divisor is not None:
            scale = divisor if text.model_type == "hyperclovax" else 1 / divisor
        caps = (_number(text, name) for name in _CAPS)
        return cls(scale=1.0 if scale is None else scale, softcap=next((cap for cap in caps if cap is not None), None))

    @classmethod
    def candidates(cls, config: Any) -> "list[LogitTransform]":
        """That of the config, and what models do that have such a config and leave some of it out, or divide before.

        MiniCPM3 divides its hidden states, Gemma 3 with a vision tower has no cap, MPT no scale: the config does not
        tell, but a look at their logits does.
        """
        known = cls.from_config(config)
        scales, caps = (known.scale, 1.0, 1 / known.scale if known.scale else 1.0), (known.softcap, None)
        return list(dict.fromkeys(cls(scale, cap) for scale in scales for cap in caps))

    @cached_property
    def is_identity(self) -> bool:
        """Whether the logits are the projection itself."""
        return self.scale == 1 and self.softcap is None

    def __call__(self, projection: Tensor) -> Tensor:
        """Logits from the projection, `[...]`, float32 (float64 for float64).

        The identity returns a float32 projection itself, not a copy.
        """
        logits = projection.to(torch.promote_types(projection.dtype, torch.float32))
        if self.scale != 1:
            logits = logits * self.scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def derivative(self, logits: Tensor) -> Tensor | float:
        """d logits / d projection, as a function of the logits, `[...]`; a number where it is constant."""
        if self.softcap is None:
            return self.scale
        return self.scale * (1 - (logits / self.softcap).square())


def _number(config: Any, name: str) -> float | None:
    value = getattr(config, name, None)
    return float(value) if isinstance(value, int | float) else None  # MPT's scale may be a word
