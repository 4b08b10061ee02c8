"""`score_answers`: all metrics of generated answers, from the texts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..data.number_text import answer_number
from .number_metrics import score_numbers
from .score import Score
from .text_metrics import score_texts


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
        confidence: of the intervals.
        resamples: of the bootstrap over rows; 0 gives no intervals.
        seed: of the bootstrap.

    Returns:
        In this order, `rows`; the metrics of `score_texts`; and, with targets, `missing` (share of the number rows
        without any answer, part of `unreadable`) and the metrics of `score_numbers`.

    Raises:
        ValueError: no rows, lengths differ, or a target is not finite.
        ImportError: a metric library is missing.
    """
    _check_rows(predictions, {"references": references, "targets": targets, "answers": answers})
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    scores = {"rows": Score(len(predictions)), **score_texts(predictions, references, **options)}
    if targets is None:
        return scores
    given = predictions if answers is None else answers
    kept = [(answer, target) for answer, target in zip(given, targets, strict=True) if target is not None]
    scores["missing"] = _share([answer is None or not answer.strip() for answer, _ in kept])
    read = [None if answer is None else answer_number(answer) for answer, _ in kept]
    return scores | score_numbers(read, [target for _, target in kept], **options)


def _check_rows(predictions: Sequence[str], columns: Mapping[str, Sequence[Any] | None]) -> None:
    """Lengths, and targets here already: later a bad one's row would be that among the number rows."""
    if not len(predictions):
        raise ValueError("there are no rows to score: check the data set and its split")
    for name, column in columns.items():
        if column is not None and len(column) != len(predictions):
            raise ValueError(f"{len(predictions)} predictions for {len(column)} {name}: give one for each row")
    for row, target in enumerate(columns["targets"] or ()):
        if target is not None and not math.isfinite(target):
            raise ValueError(f"the target of row {row} is {target}: give a finite number, or None where there is none")


def _share(flags: list[bool]) -> Score:
    return Score(sum(flags) / len(flags) if flags else math.nan)
