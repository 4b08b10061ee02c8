"""Text metrics: whole generated texts against whole references."""

from collections.abc import Iterator, Sequence

import numpy as np

from .bootstrap import Array, Resampling, Sample, mean, score
from .libraries import library
from .score import Score

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
        confidence: of the intervals.
        resamples: of the bootstrap over rows; 0 gives no intervals.
        seed: of the bootstrap.

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
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references: give one for each row")
    resampling = Resampling(confidence, resamples, seed)
    return {name: score(sample, resampling) for name, sample in _samples(predictions, references)}


def _samples(predictions: Sequence[str], references: Sequence[str]) -> Iterator[tuple[str, Sample]]:
    pairs = list(zip(predictions, references, strict=True))
    yield "sequence_accuracy", Sample(mean, (np.array([given.strip() == true.strip() for given, true in pairs]),))
    yield "bleu", Sample(_bleu, _bleu_counts(pairs))
    for name, values in _rouge(pairs).items():
        yield name, Sample(mean, (values,))


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
