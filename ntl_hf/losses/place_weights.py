"""Weights of tokens by their decimal place: an error in the hundreds is worth more than one in the units."""

import torch
from torch import Tensor

# DEL's base for the digits after the point.
_DEL_BASE = 1.02


def ntil_weights(place: Tensor, base: float = 1.2) -> Tensor:
    """base^place, `[...]`, float32: 1 for units, base for tens, below 1 after the point (for a base above 1).

    Source: the exponential place weight of Fei et al., "Advancing Sequential Numerical Prediction in Autoregressive
    Models" (NTIL), arXiv 2505.13077, whose code has a base of 1.2. For whole numbers it is theirs; theirs takes what
    stands before and after a decimal point for two numbers.

    Args:
        place: decimal place of the last digit of each token, `[...]`, int64: 0 for units, -1 for tenths.
        base: above 0.
    """
    return torch.pow(base, _bounded(place))


def del_weights(place: Tensor) -> Tensor:
    """2 (k + 1) for place k >= 0, 1.02^(k - 1) after the point (k < 0), `[...]`, float32.

    Source: the authors' code of DEL, arXiv 2605.20369: 2 for units, 4 for tens, 6 for hundreds, about 1 after the
    point.

    Args:
        place: as above.
    """
    place = _bounded(place)
    return torch.where(place >= 0, 2 * (place + 1), torch.pow(_DEL_BASE, place - 1))


def _bounded(place: Tensor) -> Tensor:
    # Beyond 100 digits there is nothing to weigh, and a large base would leave float32.
    return place.clamp(-100, 100).float()
