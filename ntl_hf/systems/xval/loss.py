"""xVal's two losses, and the output of a model that has them."""

from dataclasses import dataclass, field, make_dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...tokens.targets import IGNORE_INDEX


@dataclass(frozen=True)
class Targets:
    """What a model is to predict, at the positions that predict it.

    Attributes:
        labels: `[B, T]`, int64, -100 where there is none.
        is_number: whether the label is `[NUM]`, `[B, T]`, bool.
        numbers: the number there, `[B, T]`, float32, scaled; anything elsewhere.
    """

    labels: Tensor
    is_number: Tensor
    numbers: Tensor

    @classmethod
    def aligned(cls, labels: Tensor, numbers: Tensor, num_token_id: int, length: int, shift: bool) -> "Targets":
        """Of labels and numbers `[B, T]`, for the last `length` positions; with `shift`, t predicts t + 1."""
        # Negative padding cuts: `length` is less than T where a model keeps few logits.
        pad = (length - labels.shape[1] - int(shift), int(shift))
        labels = F.pad(labels, pad, value=IGNORE_INDEX)
        return cls(labels, labels == num_token_id, F.pad(numbers, pad))


def token_loss(logits: Tensor, targets: Targets, count: Any = None) -> Tensor:
    """Cross entropy, scalar, float32 (float64 for float64 logits): a sum over the labels, divided by `count`.

    Args:
        logits: `[B, T, V]`.
        targets: of B * T positions.
        count: a number or a scalar tensor; default: the number of labels. At least 1 is divided by.
    """
    flat = logits.flatten(0, 1).to(torch.promote_types(logits.dtype, torch.float32))
    total = F.cross_entropy(flat, targets.labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / _divisor(count, targets.labels != IGNORE_INDEX)


def number_loss(predictions: Tensor, targets: Targets, count: Any = None) -> Tensor:
    """Squared error in scaled units, scalar: a sum over the labels `[NUM]`, divided by `count`.

    Without any it is 0, and still made of the predictions: wrappers such as DDP want a gradient for each parameter.

    Args:
        predictions: `[B, T]`, scaled.
        targets, count: see `token_loss`; the default is the number of labels `[NUM]`.
    """
    errors = (predictions - targets.numbers).where(targets.is_number, 0.0)
    return errors.square().sum() / _divisor(count, targets.is_number)


def _divisor(count: Any, mask: Tensor) -> Any:
    if count is None:
        return mask.sum().clamp(min=1)
    return count.to(mask.device).clamp(min=1) if isinstance(count, Tensor) else max(count, 1)


def with_numbers(base: Any, **added: Tensor | None) -> Any:
    """The output of a base model with a `loss` and the further fields of xVal."""
    made: Any = type(base)
    return output_class(made)(**{**base, **added})


@cache
def output_class(base: Any) -> Any:
    """A base's `ModelOutput` with `number_predictions`, `token_loss` and `number_loss`."""
    names = ("number_predictions", "token_loss", "number_loss")
    fields = [(name, Tensor | None, field(default=None)) for name in names]
    return make_dataclass(f"XVal{base.__name__}", fields, bases=(base,))
