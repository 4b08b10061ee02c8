"""`Score`: a metric's value and its interval, and the way to JSON and back."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Score:
    """A metric's value.

    Attributes:
        value: the metric, or a count; NaN where it is undefined.
        low: the lower end of its interval; None where there is none (counts, undefined metrics, resamples that all
            say the same).
        high: the upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


def to_json(scores: Mapping[str, Score]) -> dict[str, dict[str, float | None]]:
    """Plain dictionaries that any JSON reader takes: NaN, which JSON does not know, becomes None."""
    return {
        name: {key: _none_if_undefined(number) for key, number in asdict(score).items()}
        for name, score in scores.items()
    }


def from_json(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, Score]:
    """The way back from `to_json`."""
    return {name: _score(**fields) for name, fields in scores.items()}


def _score(value: float | None, low: float | None, high: float | None) -> Score:
    return Score(math.nan if value is None else value, low, high)


def _none_if_undefined(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
