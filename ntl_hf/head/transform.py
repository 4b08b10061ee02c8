"""What a model does between its output projection and its logits."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

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
        Granite and MiniCPM3 divide by `logits_scaling`, HyperCLOVA X multiplies by it. Gemma's cap is
        `final_logit_softcapping`, RecurrentGemma's `logits_soft_cap`, xLSTM's `output_logit_soft_cap`.
        """
        text = config.get_text_config()
        scale = 1.0
        for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
            if getattr(text, name, None) is not None:
                scale = float(getattr(text, name))
                break
        else:
            scaling = getattr(text, "logits_scaling", None)
            if scaling is not None:
                scale = float(scaling) if text.model_type == "hyperclovax" else 1 / float(scaling)
        caps = (getattr(text, name, None) for name in _CAPS)
        return cls(scale=scale, softcap=next((float(cap) for cap in caps if cap is not None), None))

    @property
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
