"""Number metrics: predicted numbers, some of them unreadable, against the true ones."""

from collections.abc import Iterator, Sequence

import numpy as np

from .bootstrap import Array, Resampling, Sample, mean, score
from .regression import METRICS, Metric, signed_log
from .score import Score

CHARGED = "_charged"
# Between values that are not both whole numbers; a third written with 13 digits is a third.
_ROUNDING = 1e-12


def score_numbers(
    predicted: Sequence[float | None],
    targets: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Score]:
    """All number metrics, with intervals.

    Args:
        predicted: one number a row; None, NaN or an infinity is an unreadable answer.
        targets: the true numbers, finite.
        confidence: of the intervals.
        resamples: of the bootstrap over rows; 0 gives no intervals.
        seed: of the bootstrap.

    Returns:
        The scores by name.

        - number_rows, readable_rows, mape_rows: counts. `mape_rows` are readable and have a target other than 0.
        - unreadable: share of the rows.
        - number_accuracy: share of all rows that are right; unreadable ones are wrong (see `number_right`).
        - mae, mse, rmse, r2, median_ae: in the targets' unit (mse: squared), over the readable rows.
        - log_mae, log_r2: the same on sign(x) * log10(|x| + 1).
        - mape: mean |error| / |target|, a fraction.
        - pearson, spearman: correlations over the readable rows.
        - mae_charged, ..., mape_charged: the error metrics over all rows, an unreadable answer charged as the number
            within the range of the targets that is furthest from its own target (for log metrics: on the log scale).
            The charge depends on the data alone, and silence is never better than an answer within the range; only
            an answer far outside it costs more.

        NaN where a metric is undefined: no readable row; R2 and correlations with fewer than two rows or a constant
        side; squares that overflow; charged metrics where something is unreadable and all targets are equal.

    Raises:
        ValueError: lengths differ, or a target is not finite.
    """
    resampling = Resampling(confidence, resamples, seed)
    given, true = as_columns(predicted, targets)
    scores = dict(_counts(given, true))
    for name, sample in _samples(given, true):
        scores[name] = score(sample, resampling)
    return scores


def number_right(predicted: Sequence[float | None], targets: Sequence[float]) -> list[bool]:
    """Whether each answer is right: whole numbers exactly up to 2^53, others up to float rounding (relative 1e-12).

    An absolute or wider tolerance would call long products right whose last digit is wrong.
    """
    return [bool(right) for right in is_right(*as_columns(predicted, targets))]


def as_columns(predicted: Sequence[float | None], targets: Sequence[float]) -> tuple[Array, Array]:
    """Both as float64 `[rows]`, unreadable answers as NaN.

    Raises:
        ValueError: lengths differ, or a target is not finite.
    """
    if len(predicted) != len(targets):
        raise ValueError(f"{len(predicted)} predicted numbers for {len(targets)} targets: give one for each row")
    given = np.array([np.nan if number is None else number for number in predicted], dtype=float)
    true = np.array(targets, dtype=float)
    if not np.isfinite(true).all():
        row = int(np.flatnonzero(~np.isfinite(true))[0])
        raise ValueError(f"the target of row {row} is {targets[row]}, not a finite number: mend or leave out the row")
    return np.where(np.isfinite(given), given, np.nan), true


def is_right(predicted: Array, targets: Array) -> Array:
    """`number_right` for columns, as booleans `[rows]`."""
    whole = (predicted == np.round(predicted)) & (targets == np.round(targets))
    with np.errstate(over="ignore"):
        return (predicted == targets) | (~whole & np.isclose(predicted, targets, rtol=_ROUNDING, atol=0))


def charge(predicted: Array, targets: Array) -> Array:
    """Each unreadable answer replaced by the end of the targets' range that is further from its target.

    NaN in every row where something is unreadable and the range is a point: the charge would be the right answer.
    """
    unreadable = np.isnan(predicted)
    if not unreadable.any():
        return predicted
    low, high = targets.min(), targets.max()
    if low == high:
        return np.full_like(targets, np.nan)
    # Halved: the range of numbers near the largest float would overflow.
    nearer_high = targets / 2 - low / 2 > high / 2 - targets / 2
    return np.where(unreadable, np.where(nearer_high, low, high), predicted)


def metric_columns(metric: Metric, predicted: Array, targets: Array, charged: bool) -> tuple[Array, Array]:
    """All rows as the metric wants them, predicted and targets; NaN where an answer does not enter."""
    if metric.log:
        predicted, targets = signed_log(predicted), signed_log(targets)
    predicted = charge(predicted, targets) if charged else predicted
    return np.where(targets == 0, np.nan, predicted) if metric.nonzero else predicted, targets


def _samples(predicted: Array, targets: Array) -> Iterator[tuple[str, Sample]]:
    yield "unreadable", Sample(mean, (np.isnan(predicted),))
    yield "number_accuracy", Sample(mean, (is_right(predicted, targets),))
    for name, metric in METRICS.items():
        yield name, _error_sample(metric, predicted, targets, charged=False)
    for name, metric in METRICS.items():
        if metric.per_row:
            yield name + CHARGED, _error_sample(metric, predicted, targets, charged=True)


def _error_sample(metric: Metric, predicted: Array, targets: Array, charged: bool) -> Sample:
    """The metric over the rows that enter it. Resamples keep their number, the readable rows being given."""
    given, true = metric_columns(metric, predicted, targets, charged)
    enters = ~np.isnan(given)
    return Sample(metric.function, (given[enters], true[enters]))


def _counts(predicted: Array, targets: Array) -> Iterator[tuple[str, Score]]:
    readable = ~np.isnan(predicted)
    yield "number_rows", Score(len(targets))
    yield "readable_rows", Score(int(readable.sum()))
    yield "mape_rows", Score(int((readable & (targets != 0)).sum()))
