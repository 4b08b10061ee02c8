"""Metrics of texts: generated ones against their references, and the likelihood of the true ones."""

from collections.abc import Sequence

import numpy as np

from .bootstrap import Array, Bootstrap, Score, check_lengths, mean, ratio, score
from .libraries import library

_ROUGE = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}


def score_texts(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Sequence accuracy, BLEU and ROUGE, with intervals.

    Args:
        predictions: one text a row.
        references: the true text of each row.
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the rows; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        The scores by name.

        - sequence_accuracy: share of rows that are equal to their reference but for outer white space.
        - bleu: corpus BLEU, 0 to 100, with sacrebleu's defaults (13a tokenization, exponential smoothing).
        - rouge1, rouge2, rouge_l: mean F-measure, 0 to 1, without stemming (rouge-score; a-z and 0-9 only, so a text
            in another script scores 0).

    Raises:
        ValueError: lengths differ.
        ImportError: sacrebleu or rouge-score is missing.
    """
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    check_lengths(predictions=predictions, references=references)
    pairs = list(zip(predictions, references, strict=True))
    is_equal = np.array([given.strip() == true.strip() for given, true in pairs])
    scores = {
        "sequence_accuracy": score(mean, [is_equal], **bootstrap),
        "bleu": score(_bleu, _bleu_counts(pairs), **bootstrap),
    }
    return scores | {name: score(mean, [values], **bootstrap) for name, values in _rouge(pairs).items()}


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

    From sums of each example: neither a batch nor a short example weighs more than another.

    Args:
        cross_entropy_sums: the sum of -log p(label) over each example's labelled tokens, in nats.
        token_counts: each example's number of labelled tokens; an example without any adds nothing.
        right_tokens: how many of them the model ranks first.
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the examples; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        The scores `tokens`, a count, `cross_entropy` in nats a token, `perplexity`, its exponential, and
        `token_accuracy`, a share. NaN where there are no tokens, and for a perplexity too large for a float.

    Raises:
        ValueError: lengths differ, or an example has more right tokens than tokens.
    """
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    check_lengths(cross_entropy_sums=cross_entropy_sums, token_counts=token_counts, right_tokens=right_tokens)
    sums, counts, right = (np.array(column) for column in (cross_entropy_sums, token_counts, right_tokens))
    if (right > counts).any():
        raise ValueError(f"example {int(np.argmax(right > counts))} has more right tokens than tokens")
    return {
        "tokens": Score(int(counts.sum())),
        "cross_entropy": score(ratio, [sums, counts], **bootstrap),
        "perplexity": score(_exp_ratio, [sums, counts], **bootstrap),
        "token_accuracy": score(ratio, [right, counts], **bootstrap),
    }


def _bleu_counts(pairs: list[tuple[str, str]]) -> tuple[Array, ...]:
    """Ten columns: the matching and the total 1- to 4-grams of a row, and the lengths of prediction and reference."""
    # The order matters to a sentence's own score alone, which is not used; without it, sacrebleu warns.
    scorer = library("sacrebleu.metrics").BLEU(effective_order=True)
    rows = [scorer.sentence_score(given, [true]) for given, true in pairs]
    counts = [[*row.counts, *row.totals, row.sys_len, row.ref_len] for row in rows]
    return tuple(np.array(counts, dtype=np.int64).reshape(-1, 10).T)


def _bleu(*columns: Array) -> Array:
    """BLEU from summed counts, which is what makes it a corpus metric: `[rows, n]` ten times to `[n]`."""
    compute = library("sacrebleu.metrics").BLEU.compute_bleu
    sums = np.stack([column.sum(axis=0) for column in columns], axis=1).tolist()
    return np.array([compute(row[:4], row[4:8], row[8], row[9], smooth_method="exp").score for row in sums])


def _rouge(pairs: list[tuple[str, str]]) -> dict[str, Array]:
    scorer = library("rouge_score.rouge_scorer").RougeScorer(list(_ROUGE))
    rows = [scorer.score(true, given) for given, true in pairs]
    return {name: np.array([row[key].fmeasure for row in rows], dtype=float) for key, name in _ROUGE.items()}


def _exp_ratio(sums: Array, counts: Array) -> Array:
    return np.exp(ratio(sums, counts))
