"""Quantised models, kept in the layout that can be trained."""

from typing import Any

from torch import nn


def keep_differentiable(model: nn.Module) -> None:
    """Keep the four-bit layers of bitsandbytes in the layout that has a gradient.

    On CPUs with AVX512-BF16, its first forward pass in evaluation mode packs the weights for inference, for good: all
    later steps train without the gradient through these layers, with no more than a warning (bitsandbytes 0.50).
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
