"""Reductions over positions."""

import torch
from torch import Tensor

REDUCTIONS = ("mean", "sum", "none")


def reduce_losses(losses: Tensor, weights: Tensor, reduction: str = "mean") -> Tensor:
    """Weigh losses per position and reduce them.

    Args:
        losses: `[...]`, float, finite everywhere.
        weights: `[...]`, 0 where a position does not count.
        reduction: "mean" (weighted: sum w l / sum w; 0 where all weights are 0), "sum" or "none" (`[...]`).

    Returns:
        Of the dtype of `losses`, connected to them also where no position counts, so that `backward()` works.

    Raises:
        ValueError: unknown reduction.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"`reduction` is {reduction!r}. Choose one of: {', '.join(REDUCTIONS)}.")
    weights = weights.to(losses.dtype)
    weighted = losses * weights
    if reduction == "none":
        return weighted
    if reduction == "sum":
        return weighted.sum()
    return weighted.sum() / weights.sum().clamp_min(torch.finfo(losses.dtype).eps)
