"""Predictions of number-aware decoding beside generated ones: the same metrics, on the rows with a number."""

import pytest

from ntl_hf.decoding import NumberDistribution
from ntl_hf.evaluation import score_decoded, score_numbers

ANSWERS = [["1", "2", "9"], ["5", "x", "5", "y"], ["none"], ["7"]]


def test_as_generated_numbers_are_scored():
    predictions = [NumberDistribution.from_texts(texts).predict("absolute") for texts in ANSWERS]
    scores = score_decoded(predictions, [3, 5, 6, None], resamples=50)
    numbers = score_numbers([2, 5, None], [3, 5, 6], resamples=50)
    for name, score in numbers.items():
        assert scores[f"decoded_{name}"] == score or score.value != score.value, name
    assert scores["decoded_unreadable"].value == pytest.approx(1 / 3)
    assert scores["decoded_unreadable_mass"].value == pytest.approx((0 + 0.5 + 1) / 3)
    assert scores["coverage_80"].value == 1 and scores["interval_width_80"].value == 4


def test_lengths_that_differ():
    with pytest.raises(ValueError, match="0 predictions, 1 targets"):
        score_decoded([], [1.0])
