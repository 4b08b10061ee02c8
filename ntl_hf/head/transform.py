"""What a model does between its output projection and its logits."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


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
        Granite and MiniCPM3 divide by `logits_scaling`, HyperCLOVA X multiplies by it; Gemma has
        `final_logit_softcapping`.
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
        return cls(scale=scale, softcap=getattr(text, "final_logit_softcapping", None))

    def __call__(self, projection: Tensor) -> Tensor:
        """Apply it to columns of the projection, `[..., D]`; the result is float32."""
        logits = projection.float() * self.scale
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)
