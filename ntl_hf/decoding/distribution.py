"""`NumberDistribution`: the numbers that a model may answer, and the one with the least expected error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.answer import final_answer
from ..data.number_text import answer_number
from ..settings.checks import check_choice

RISKS = ("absolute", "squared", "zero_one")
# A tenth of ten equal weights adds up to a little less than 0.1.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class NumberDistribution:
    """What a model would answer, as numbers with weights.

    Attributes:
        values: the numbers, distinct, ascending; none where nothing can be read.
        weights: of each number, summing to 1.
        texts: of each number, the likeliest answer that states it.
        unreadable: share of the probability, or of the candidates, that is on no readable number, 0 to 1. The weights
            are of the rest.
    """

    values: tuple[float, ...]
    weights: tuple[float, ...]
    texts: tuple[str, ...]
    unreadable: float

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        log_weights: Sequence[float] | None = None,
        answer_mark: str | None = None,
        log_total: float | None = None,
    ) -> "NumberDistribution":
        """Read the answers and add up those that state the same number.

        Args:
            texts: what was generated, whole.
            log_weights: natural logarithm of each text's weight; None for equal weights.
            answer_mark: what the final answer stands after, see `final_answer`.
            log_total: logarithm of the weight of all texts there are; None for the sum over `texts`.
        """
        logs = [0.0] * len(texts) if log_weights is None else [float(log) for log in log_weights]
        by_value: dict[float, list[tuple[float, str]]] = {}
        for text, log in zip(texts, logs, strict=True):
            answer = final_answer(text, answer_mark)
            value = None if answer is None else answer_number(answer)
            if value is not None and answer is not None and log > -np.inf:
                # Of -0 and 0, one.
                by_value.setdefault(value + 0.0, []).append((log, answer))
        values = sorted(by_value)
        sums = np.array([_log_sum([log for log, _ in by_value[value]]) for value in values])
        readable = _log_sum(sums)
        share = readable - (_log_sum(logs) if log_total is None else log_total) if values else -np.inf
        return cls(
            values=tuple(values),
            weights=tuple(np.exp(sums - readable).tolist()),
            texts=tuple(max(by_value[value])[1] for value in values),
            unreadable=float(-np.expm1(min(share, 0.0))),
        )

    def predict(self, risk: str = "absolute", snap: bool = False) -> "NumberPrediction":
        """The number with the least expected error, and its text.

        Args:
            risk: "absolute", |x - y|: the median, of two the lower. "squared", (x - y)²: the mean. "zero_one", x ≠ y:
                the most likely number, of equals the lowest.
            snap: take only numbers that the model may answer: the nearest to the mean, which has the least expected
                squared error among them, of two the lower. The others are such numbers already.

        Raises:
            ValueError: an unknown risk.
        """
        check_risk(risk)
        if not self.values:
            return NumberPrediction(None, None, self)
        if risk == "absolute":
            value = weighted_quantile(self.values, self.weights, 0.5)
        elif risk == "zero_one":
            value = self.values[int(np.argmax(self.weights))]
        else:
            value = float(np.dot(self.values, self.weights))
        if snap:
            value = min(self.values, key=lambda candidate: abs(candidate - value))
        texts = dict(zip(self.values, self.texts, strict=True))
        return NumberPrediction(value, texts.get(value, f"{value:.15g}"), self)


@dataclass(frozen=True)
class NumberPrediction:
    """A predicted number.

    Attributes:
        value: the number; None where nothing can be read.
        text: the answer that states it: the model's own where it has one, or else the number as such; None without
            a value.
        distribution: what it was chosen from.
    """

    value: float | None
    text: str | None
    distribution: NumberDistribution


def check_risk(risk: str) -> None:
    """Raise `ValueError` for an unknown risk."""
    check_choice("risk", risk, RISKS)


def weighted_quantile(values: Sequence[float], weights: Sequence[float], level: float) -> float:
    """The smallest value at or below which at least `level` of the weight lies.

    Args:
        values: ascending, at least one.
        weights: of each, summing to 1.
        level: between 0 and 1.
    """
    reached = np.cumsum(weights) >= level - _ROUNDING
    return float(values[int(np.argmax(reached))] if reached.any() else values[-1])


def _log_sum(logs: Sequence[float] | np.ndarray) -> float:
    """Logarithm of the sum of exponentials; minus infinity without any."""
    return float(np.logaddexp.reduce(np.array(logs, dtype=float), initial=-np.inf))
