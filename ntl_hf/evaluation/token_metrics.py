"""Teacher-forced metrics from sums per example: neither a batch nor a short example weighs more than another."""

from collections.abc import Sequence

import numpy as np

from .bootstrap import Array, Resampling, Sample, score
from .score import Score


def score_tokens(
    cross_entropy_sums: Sequence[float],
    token_counts: Sequence[int],
    right_tokens: Sequence[int],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Cross entropy, perplexity and token accuracy over all labelled tokens, with intervals.

    Args:
        cross_entropy_sums: the sum of -log p(label) over each example's labelled tokens, in nats.
        token_counts: each example's number of labelled tokens; an example without any adds nothing.
        right_tokens: how many of them the model ranks first.
        confidence: of the intervals.
        resamples: of the bootstrap over examples; 0 gives no intervals.
        seed: of the bootstrap.

    Returns:
        The scores `tokens`, a count, `cross_entropy` in nats a token, `perplexity`, its exponential, and
        `token_accuracy`, a share. NaN where there are no tokens, and for a perplexity too large for a float.

    Raises:
        ValueError: lengths differ, or an example has more right tokens than tokens.
    """
    lengths = {len(cross_entropy_sums), len(token_counts), len(right_tokens)}
    if len(lengths) > 1:
        raise ValueError(f"the columns have {sorted(lengths)} rows: give one sum and two counts for each example")
    resampling = Resampling(confidence, resamples, seed)
    sums, counts, right = (np.array(column) for column in (cross_entropy_sums, token_counts, right_tokens))
    if (right > counts).any():
        raise ValueError(f"example {int(np.argmax(right > counts))} has more right tokens than tokens")
    return {
        "tokens": Score(int(counts.sum())),
        "cross_entropy": score(Sample(_ratio, (sums, counts)), resampling),
        "perplexity": score(Sample(_exp_ratio, (sums, counts)), resampling),
        "token_accuracy": score(Sample(_ratio, (right, counts)), resampling),
    }


def score_ratio(
    sums: Sequence[float],
    counts: Sequence[int],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score:
    """A mean over tokens, sum of sums over sum of counts, with its interval over examples; NaN without any."""
    columns = (np.array(sums), np.array(counts))
    return score(Sample(_ratio, columns), Resampling(confidence, resamples, seed))


def _ratio(sums: Array, counts: Array) -> Array:
    return np.asarray(sums.sum(axis=0) / counts.sum(axis=0))


def _exp_ratio(sums: Array, counts: Array) -> Array:
    return np.exp(_ratio(sums, counts))
