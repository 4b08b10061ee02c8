"""Number-aware decoding, scored beside the generated answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .calibration import central_interval, score_distributions
from .number_metrics import score_numbers
from .score import Score
from .token_metrics import score_ratio

if TYPE_CHECKING:
    from ..decoding import NumberPrediction

PREFIX = "decoded_"


def score_decoded(
    predictions: Sequence["NumberPrediction"], targets: Sequence[float | None], **bootstrap: Any
) -> dict[str, Score]:
    """Error of the predictions, and calibration of their distributions, over the rows with a numeric target.

    Args:
        predictions: one a row.
        targets: the true numbers; None in a row without one.
        bootstrap: `confidence`, `resamples`, `seed`, as of `score_numbers`.

    Returns:
        The metrics of `score_numbers`, each with the prefix `decoded_`; `decoded_unreadable_mass`, the mean share of
        the distribution that is on no number, where `decoded_unreadable` counts the rows with nothing else; and the
        metrics of `score_distributions`.

    Raises:
        ValueError: lengths differ, or a target is not finite.
    """
    if len(predictions) != len(targets):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} targets: give one for each row")
    kept = [(each, target) for each, target in zip(predictions, targets, strict=True) if target is not None]
    true = [target for _, target in kept]
    numbers = score_numbers([each.value for each, _ in kept], true, **bootstrap)
    own = [each.distribution for each, _ in kept]
    return {
        **{PREFIX + name: score for name, score in numbers.items()},
        f"{PREFIX}unreadable_mass": score_ratio([each.unreadable for each in own], [1] * len(own), **bootstrap),
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
