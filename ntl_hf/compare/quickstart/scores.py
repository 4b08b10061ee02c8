"""Scores of answers as text against numbers."""

import re
from collections.abc import Sequence
from statistics import fmean, median

# The tasks write their answers with three digits, 0 to 999. `42` for `042` can be read all the same; four digits are a
# number that had not ended.
_READABLE = re.compile(r"[0-9]{1,3}")
_LARGEST = 999


def score(answers: Sequence[str], values: Sequence[int]) -> dict[str, float]:
    """Exact match (a fraction), MAE, median absolute error, R2, and the fraction of unreadable answers.

    An answer is unreadable unless it is a number of one to three digits. To leave it out would reward a model for
    breaking down where it is unsure, so it is charged the largest error possible: the distance from the true value to
    the further of 0 and 999.
    """
    errors = [absolute_error(answer, value) for answer, value in zip(answers, values, strict=True)]
    center = fmean(values)
    variation = sum((value - center) ** 2 for value in values)
    return {
        "exact_match": fmean(error == 0 for error in errors),
        "mae": fmean(errors),
        "median_ae": float(median(errors)),
        "r2": 1 - sum(error**2 for error in errors) / variation if variation else float("nan"),
        "unreadable": fmean(not is_readable(answer) for answer in answers),
    }


def is_readable(answer: str) -> bool:
    return _READABLE.fullmatch(answer) is not None


def absolute_error(answer: str, value: int) -> int:
    """|answer - value|, or the largest error possible for an unreadable answer."""
    return abs(int(answer) - value) if is_readable(answer) else max(value, _LARGEST - value)
