"""Number metrics: predicted numbers, some of them unreadable, against the true ones."""

from collections.abc import Sequence

import numpy as np

from .bootstrap import Array, Bootstrap, Score, check_lengths, mean, score
from .regression import REGRESSION_METRICS, RegressionMetric, signed_log

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
        confidence: coverage of the intervals, between 0 and 1.
        resamples: of the rows; 0 gives no intervals.
        seed: of the resamples.

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
    bootstrap: Bootstrap = {"confidence": confidence, "resamples": resamples, "seed": seed}
    given, true = as_columns(predicted, targets)
    readable = ~np.isnan(given)
    scores = {
        "number_rows": Score(len(true)),
        "readable_rows": Score(int(readable.sum())),
        "mape_rows": Score(int((readable & (true != 0)).sum())),
        "unreadable": score(mean, [~readable], **bootstrap),
        "number_accuracy": score(mean, [is_right(given, true)], **bootstrap),
    }
    for suffix in ("", CHARGED):
        for name, metric in REGRESSION_METRICS.items():
            if metric.per_row or not suffix:
                columns = metric_columns(metric, given, true, charged=bool(suffix))
                # Resamples keep their number, the readable rows being given.
                enters = ~np.isnan(columns[0])
                scores[name + suffix] = score(metric.function, [column[enters] for column in columns], **bootstrap)
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
    check_lengths(predictions=predicted, targets=targets)
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


def metric_columns(metric: RegressionMetric, predicted: Array, targets: Array, charged: bool) -> tuple[Array, Array]:
    """All rows as the metric wants them, predicted and targets; NaN where an answer does not enter."""
    if metric.log:
        predicted, targets = signed_log(predicted), signed_log(targets)
    predicted = charge(predicted, targets) if charged else predicted
    return np.where(targets == 0, np.nan, predicted) if metric.nonzero else predicted, targets
