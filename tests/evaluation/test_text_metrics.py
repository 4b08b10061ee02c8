"""Text metrics: by hand and against sacrebleu and rouge-score themselves."""

import random

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from ntl_hf.evaluation import score_texts

WORDS = ["the", "cat", "sat", "on", "a", "mat", "12", "is", "it", "3.5", ","]


def texts(rows: int, seed: int) -> tuple[list[str], list[str]]:
    chooser = random.Random(seed)
    references = [" ".join(chooser.choices(WORDS, k=chooser.randint(3, 15))) for _ in range(rows)]
    predictions = [" ".join(w for w in text.split() if chooser.random() < 0.8) for text in references]
    return predictions, references


def values(predictions: list[str], references: list[str]) -> dict[str, float]:
    return {name: score.value for name, score in score_texts(predictions, references, resamples=0).items()}


def test_sequence_accuracy_by_hand() -> None:
    # Equal; equal but for outer white space; another case; another inner space.
    got = values(["a b", " a b\n", "A b", "a  b"], ["a b"] * 4)
    assert got["sequence_accuracy"] == 2 / 4


def test_rouge_by_hand() -> None:
    # "the cat sat" against "the sat cat": all 3 words, no pair of words, a common subsequence of 2 of 3.
    # "x" against "x y z": precision 1, recall 1/3, F = 1/2; no pairs at all.
    got = values(["the cat sat", "x"], ["the sat cat", "x y z"])
    assert got["rouge1"] == pytest.approx((1 + 1 / 2) / 2)
    assert got["rouge2"] == 0
    assert got["rouge_l"] == pytest.approx((2 / 3 + 1 / 2) / 2)


@pytest.mark.parametrize("rows", [1, 2, 60])
def test_bleu_is_the_corpus_score_of_sacrebleu(rows: int) -> None:
    predictions, references = texts(rows, seed=rows)
    theirs = sacrebleu.corpus_bleu(predictions, [references]).score
    assert values(predictions, references)["bleu"] == pytest.approx(theirs, rel=1e-12)
    assert 0 < theirs < 100


def test_bleu_is_no_mean_of_batches() -> None:
    predictions, references = ["the cat sat on a mat", "a dog"], ["the cat sat on a mat", "it is on the mat"]
    parts = [values([given], [true])["bleu"] for given, true in zip(predictions, references, strict=True)]
    assert values(predictions, references)["bleu"] != pytest.approx(sum(parts) / 2, abs=3)


def test_rouge_is_the_mean_of_rouge_score() -> None:
    predictions, references = texts(40, seed=9)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    rows = [scorer.score(true, given) for given, true in zip(predictions, references, strict=True)]
    got = values(predictions, references)
    for ours, theirs in (("rouge1", "rouge1"), ("rouge2", "rouge2"), ("rouge_l", "rougeL")):
        assert got[ours] == pytest.approx(sum(row[theirs].fmeasure for row in rows) / 40)


def test_every_metric_has_an_interval_around_it() -> None:
    predictions, references = texts(50, seed=2)
    predictions[0] = references[0]
    for name, score in score_texts(predictions, references).items():
        assert score.low is not None, name
        assert score.high is not None
        assert score.low < score.value < score.high, name


def test_bleu_of_a_resample_is_bleu_of_its_rows() -> None:
    """Two rows: a resample has one of them twice or both, so that the interval ends at the scores of single rows."""
    predictions, references = texts(2, seed=4)
    pairs = zip(predictions, references, strict=True)
    ends = [sacrebleu.corpus_bleu([given] * 2, [[true] * 2]).score for given, true in pairs]
    score = score_texts(predictions, references)["bleu"]
    assert (score.low, score.high) == pytest.approx((min(ends), max(ends)))


@pytest.mark.parametrize("empty", [(["", "a b"], ["a b", "a b"]), (["a b", "a b"], ["", "a b"]), ([""], [""])])
def test_empty_texts_are_no_crash(empty: tuple[list[str], list[str]]) -> None:
    got = values(*empty)
    assert got["rouge1"] == (0.5 if len(empty[0]) == 2 else 0)


def test_lengths_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="1 predictions, 2 references"):
        score_texts(["a"], ["a", "b"])
