"""Numbers with weights: their quantiles, and how far they are from a true value."""

from collections.abc import Sequence

import numpy as np

# A tenth of ten equal weights adds up to a little less than 0.1.
_ROUNDING = 1e-9


def weighted_quantile(values: Sequence[float], weights: Sequence[float], level: float) -> float:
    """The smallest value at or below which at least `level` of the weight lies.

    Args:
        values: ascending, at least one.
        weights: of each, summing to 1.
        level: between 0 and 1.
    """
    reached = np.cumsum(weights) >= level - _ROUNDING
    return float(values[int(np.argmax(reached))] if reached.any() else values[-1])


def crps(values: Sequence[float], weights: Sequence[float], true: float) -> float:
    """Continuous ranked probability score E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007), in the values' unit.

    The absolute error where all the weight is on one value.

    Args:
        values: ascending, at least one.
        weights: of each, summing to 1.
        true: y.
    """
    given, mass = np.array(values, dtype=float), np.array(weights, dtype=float)
    below = np.cumsum(mass)[:-1]
    # Half the mean distance of two draws: the area of F (1 - F), which needs no pairs.
    spread = (below * (1 - below) * np.diff(given)).sum()
    return float((mass * np.abs(given - true)).sum() - spread)
