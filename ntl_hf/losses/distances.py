"""Distances between number values: what a wrong number costs."""

import torch
from torch import Tensor


def value_distances(values: Tensor, squash_factor: float | None = None) -> Tensor:
    """Absolute distances between number values, `[D, D]`, float32, in the unit of the values.

    With `squash_factor` s (section "squashing" of the `ntloss` package; the paper's irregular vocabularies) the
    distances d > 0 are mapped linearly onto [1, s], so that the furthest number costs s times the nearest wrong one:

        d' = 1 + (d - d_min) * (s - 1) / (d_max - d_min),   d' = 0 where d = 0

    Args:
        values: value of each number token, `[D]`.
        squash_factor: s, above 1; None leaves the distances as they are.

    Raises:
        ValueError: `squash_factor` is 1 or less, or all values are equal, so that there is nothing to squash.
    """
    values = values.float()
    distances = (values[:, None] - values[None, :]).abs()
    if squash_factor is None:
        return distances
    if not squash_factor > 1:
        raise ValueError(f"`squash_factor` is {squash_factor!r}; it must be above 1.")
    apart = distances > 0
    if not apart.any():
        raise ValueError("`squash_factor` needs at least two different number values.")
    nearest, furthest = distances[apart].min(), distances.max()
    # Two values only: every wrong one is the nearest and the furthest, and costs 1.
    slope = (squash_factor - 1) / (furthest - nearest) if furthest > nearest else 0.0
    return torch.where(apart, 1 + (distances - nearest) * slope, 0.0)
