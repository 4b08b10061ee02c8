"""What a model makes of its projection: a forward pass on a few tokens, with hidden states of any size."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ..head import head_from_logits, log_normalizers
from ..head.fused import find_head
from ..head.transform import LogitTransform
from ..losses.head_output import HeadOutput
from ..tokens.targets import Targets

# Relative to 1 + the largest logit. Measured on six architectures whose head is right: 3e-7 in float32, 2e-3 in bf16;
# a cap of 30 that is missed, on small logits: 1e-2. Of a product made twice, and of one and the same.
TOLERANCE, HALF_TOLERANCE, _SAME_PRODUCT = 1e-3, 6e-3, 1e-4
# Where caps show: those of transformers are 15 to 50.
_LARGE = 2.0**10
# What hidden states and projection may grow to: float16 ends at 65,504.
_LARGEST = 2.0**15


@dataclass(frozen=True)
class LogitProbe:
    """One pass of a model as it is.

    Attributes:
        projection: what its output embeddings made, `[1, T, V]`.
        logits: what the model made of that, `[1, T, V]` unless it leaves some out.
        factor: what the hidden states were multiplied by.
        largest: entry of hidden states and projection.
        calls: of the output embeddings.
        training: whether it was in training mode.
    """

    projection: Tensor
    logits: Tensor
    factor: float
    largest: float
    calls: int
    training: bool

    @property
    def problem(self) -> str | None:
        """Why the logits cannot be made of the projection, entry by entry; None where they can."""
        where = " in training mode" if self.training else ""
        if self.calls > 1:
            return f"the model calls its output embeddings more than once{where}"
        if self.projection.shape != self.logits.shape:
            made, kept = list(self.projection.shape[1:]), list(self.logits.shape[1:])
            return f"the model keeps logits {kept} of the {made} that its output embeddings make{where}"
        return None

    @property
    def conditions(self) -> str:
        """For messages, with a space before."""
        larger = f" with hidden states {self.factor:g} times as large" if self.factor != 1 else ""
        return larger + (" in training mode" if self.training else "")

    def error_of(self, transform: LogitTransform, targets: Targets) -> Tensor:
        """See `head_error`: of what `transform` makes of the projection; `targets` of one row, `[1, T]`."""
        logits = transform(self.projection)
        made = head_from_logits(logits, targets)
        is_half = any(x.dtype not in (torch.float32, torch.float64) for x in (self.projection, self.logits))
        tolerance = HALF_TOLERANCE if is_half else _SAME_PRODUCT
        return head_error(made, self.head(targets), self.size(targets), tolerance)

    def head(self, targets: Targets) -> HeadOutput:
        """What the model's logits say of these, `[1, T]`."""
        return head_from_logits(self.logits, targets)

    def size(self, targets: Targets) -> Tensor:
        """The largest of the logits that count, scalar; others may be masked out, at -3e38."""
        own = self.head(targets)
        normalizers = log_normalizers(self.logits)[own.label_mask]
        label_logits = own.log_probs[own.label_mask] + normalizers
        parts = (own.number_logits[own.label_mask], normalizers, label_logits)
        return torch.stack([part.abs().amax() for part in parts]).amax()

    def large_factor(self, targets: Targets) -> float:
        """The power of two, which rounds nothing, that makes logits of about 1,000 of these."""
        room = min(_LARGE / max(float(self.size(targets)), 1e-6), _LARGEST / max(self.largest, 1e-6))
        return 2.0 ** max(0, math.floor(math.log2(room))) if math.isfinite(room) and room > 0 else 1.0


def head_error(made: HeadOutput, own: HeadOutput, size: Tensor, tolerance: float) -> Tensor:
    """How far number logits and label log-probabilities are from the model's own, `[3]`, float32, on the CPU.

    Returns:
        What exceeds the tolerance for logits of that size, the largest difference, and the size.
    """
    device, mask = own.log_probs.device, own.label_mask
    logits = (made.number_logits.to(device) - own.number_logits).abs()[mask].amax()
    log_probs = (made.log_probs.to(device) - own.log_probs).abs().amax()
    difference = torch.maximum(logits, log_probs)
    return torch.stack([difference - (1 + size) * tolerance, difference, size.to(device)]).float().cpu()


def probe(model: nn.Module, unwrapped: nn.Module, inputs: dict[str, Any], factor: float = 1.0) -> LogitProbe:
    """Run a model on text, its hidden states multiplied just before the output embeddings.

    Args:
        model: as it is called.
        unwrapped: the same without its wrappers for distributed training.
        inputs: without labels.
        factor: of the hidden states.

    Raises:
        UnsupportedHeadError: see `find_head`.
    """
    head, largest, projections = find_head(unwrapped), [0.0], []

    def before(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        largest.append(float(args[0].abs().amax()))
        return args[0] * factor, *args[1:]

    def after(module: nn.Module, args: Any, output: Any) -> None:
        output = output.full_tensor() if isinstance(output, DTensor) else output
        largest.append(float(output.abs().amax()))
        projections.append(output.clone())  # the model may write over it

    hooks = [head.register_forward_pre_hook(before), head.register_forward_hook(after)]
    try:
        logits = model(**inputs).logits
    finally:
        for hook in hooks:
            hook.remove()
    if not projections:
        raise RuntimeError("the output embeddings were not called")
    training = getattr(model, "module", model).training
    return LogitProbe(projections[0], logits, factor, max(largest), len(projections), training)
