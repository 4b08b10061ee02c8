"""Whether a model's probabilities of digits are to be believed: the expected calibration error."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..losses import number_probs
from .bootstrap import Array, Resampling, Sample, score
from .score import Score

BINS = 10


def calibration_gaps(number_logits: Tensor, target: Tensor) -> Tensor:
    """By row and bin, the sum over number tokens of: is the likeliest number token the label, minus its probability.

    Args:
        number_logits: `[B, T, D]`.
        target: column of the label, `[B, T]`; -1 where it is not a number.

    Returns:
        `[B, 10]`, float64, on the CPU. Bin m holds probabilities above m / 10 up to (m + 1) / 10. They are among the
        number tokens: whether a number comes at all is the number mass's matter.
    """
    is_number = target >= 0
    confidence, likeliest = number_probs(number_logits).max(-1)
    gap = ((likeliest == target).to(confidence.dtype) - confidence) * is_number
    bins = ((confidence * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    sums = torch.zeros((len(target), BINS), dtype=torch.float64)
    return sums.scatter_add_(1, bins.cpu(), gap.double().cpu())


def score_calibration(
    gaps: Sequence[Sequence[float]],
    counts: Sequence[int],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """Expected calibration error (Guo et al. 2017): the mean over bins, weighted by count, of |accuracy - confidence|.

    Over all number tokens at once: it is no mean over rows. The interval is that of resampled rows. With few tokens in
    a bin the error comes out too large, and larger still in the resamples.

    Args:
        gaps: of each row, its ten sums, see `calibration_gaps`.
        counts: of each row, its number tokens.
        confidence, resamples, seed: of the bootstrap over rows; `resamples=0` gives no interval.
    """
    columns = np.array(gaps, dtype=float).reshape(-1, BINS).T
    return score(Sample(_error, (np.array(counts), *columns)), Resampling(confidence, resamples, seed))


def _error(counts: Array, *gaps: Array) -> Array:
    return np.asarray(sum(np.abs(gap.sum(axis=0)) for gap in gaps) / counts.sum(axis=0))
