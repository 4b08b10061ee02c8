"""Forward passes that leave a model, its buffers, its layout and the random numbers as they were."""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

# Buffers that are copied for a pass in training mode. Quantized weights, which are larger, leave it out.
_MOST_BYTES = 2**28


@contextmanager
def in_mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Without gradients, in evaluation or training mode; afterwards in the mode that the model was in."""
    # DeepSpeed's engine hands the mode on to the model, and keeps "training" itself.
    before = getattr(model, "module", model).training
    model.train(training)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(before)


def can_restore(model: nn.Module) -> bool:
    """Whether `restored` can keep what a pass in training mode changes: buffers that are at hand, and not large."""
    buffers = list(model.buffers())
    is_at_hand = not any(buffer.is_meta for buffer in buffers)
    return is_at_hand and sum(buffer.numel() * buffer.element_size() for buffer in buffers) <= _MOST_BYTES


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Afterwards random numbers and buffers (means of a batch norm, counters of a router) are as they were."""
    buffers = [
        (module._buffers, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        # What layers say in training mode without gradients concerns this pass alone.
        with _torch_numbers(model), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        for owner, name, buffer, saved in buffers:
            owner[name] = buffer
            with torch.no_grad():
                buffer.copy_(saved)


@contextmanager
def _torch_numbers(model: nn.Module) -> Iterator[None]:
    devices = {p.device for p in model.parameters() if p.device.type not in ("cpu", "meta")}
    kind = next((device.type for device in devices), "cuda")
    indices = sorted(device.index or 0 for device in devices if device.type == kind)
    with torch.random.fork_rng(devices=indices, device_type=kind):
        yield


def keep_differentiable(model: nn.Module) -> None:
    """Keep the four-bit layers of bitsandbytes in the layout that has a gradient.

    On CPUs with AVX512-BF16, its first forward pass in evaluation mode packs the weights for inference, for good: all
    later steps train without the gradient through these layers, with no more than a warning (bitsandbytes 0.50).
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
