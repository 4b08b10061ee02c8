"""All metrics of a model's answers: of the generated texts, and of number-aware decoding beside them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.number_text import answer_number
from .bootstrap import Bootstrap, Score, check_lengths, mean, score
from .calibration import central_interval, score_distributions
from .number_metrics import score_numbers
from .text_metrics import score_texts

if TYPE_CHECKING:
    from ..decoding import NumberPrediction

PREFIX = "decoded_"


def score_answers(
    predictions: Sequence[str],
    references: Sequence[str],
    targets: Sequence[float | None] | None = None,
    answers: Sequence[str | None] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Text metrics over all rows, number metrics over the rows with a numeric target, and what was left out.

    Args:
        predictions: the generated texts, whole.
        references: the true texts, whole.
        targets: the true numbers; None in a row without one. None altogether: no number metrics.
        answers: the final answers cut out of the predictions; None where there is none to be found, which counts as
            unreadable. Without them the prediction itself is the answer. Read by `number_text.answer_number`.
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the rows; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        In this order, `rows`; the metrics of `score_texts`; and, with targets, `missing` (share of the number rows
        without any answer, part of `unreadable`) and the metrics of `score_numbers`.

    Raises:
        ValueError: no rows, lengths differ, or a target is not finite.
        ImportError: a metric library is missing.
    """
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    _check_rows(predictions, targets)
    check_lengths(predictions=predictions, references=references, targets=targets, answers=answers)
    scores = {"rows": Score(len(predictions)), **score_texts(predictions, references, **bootstrap)}
    if targets is None:
        return scores
    given = predictions if answers is None else answers
    kept = [(answer, target) for answer, target in zip(given, targets, strict=True) if target is not None]
    missing = [answer is None or not answer.strip() for answer, _ in kept]
    scores["missing"] = Score(sum(missing) / len(missing) if missing else math.nan)
    read = [None if answer is None else answer_number(answer) for answer, _ in kept]
    return scores | score_numbers(read, [target for _, target in kept], **bootstrap)


def score_decoded(
    predictions: Sequence["NumberPrediction"],
    targets: Sequence[float | None],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """Error of the predictions, and calibration of their distributions, over the rows with a numeric target.

    Args:
        predictions: one a row.
        targets: the true numbers; None in a row without one.
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the rows; 0 gives no intervals.
        seed: of the resamples.

    Returns:
        The metrics of `score_numbers`, each with the prefix `decoded_`; `decoded_unreadable_mass`, the mean share of
        the distribution that is on no number, where `decoded_unreadable` counts the rows with nothing else; and the
        metrics of `score_distributions`.

    Raises:
        ValueError: lengths differ, or a target is not finite.
    """
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    check_lengths(predictions=predictions, targets=targets)
    kept = [(each, target) for each, target in zip(predictions, targets, strict=True) if target is not None]
    true = [target for _, target in kept]
    numbers = score_numbers([each.value for each, _ in kept], true, **bootstrap)
    own = [each.distribution for each, _ in kept]
    return {
        **{PREFIX + name: number for name, number in numbers.items()},
        f"{PREFIX}unreadable_mass": score(mean, [np.array([each.unreadable for each in own])], **bootstrap),
        **score_distributions([each.values for each in own], [each.weights for each in own], true, **bootstrap),
    }


def decoded_columns(prediction: "NumberPrediction") -> dict[str, Any]:
    """What a row of the predictions says of it: the number, its interval, and the share that is on no number."""
    own = prediction.distribution
    return {
        "decoded": prediction.value,
        "interval_80": central_interval(own.values, own.weights),
        "unreadable_mass": own.unreadable,
    }


def _check_rows(predictions: Sequence[str], targets: Sequence[float | None] | None) -> None:
    """The targets here already: later a bad one's row would be that among the number rows."""
    if not len(predictions):
        raise ValueError("there are no rows to score: check the data set and its split")
    for row, target in enumerate(targets or ()):
        if target is not None and not math.isfinite(target):
            raise ValueError(f"the target of row {row} is {target}: give a finite number, or None where there is none")
