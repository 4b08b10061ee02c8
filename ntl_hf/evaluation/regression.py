"""Error metrics and correlations, from scikit-learn and scipy, for many samples at once.

Every function takes `predicted` and `targets` as `[rows, n]`, finite, and gives `[n]`, one value a column. Degenerate
columns give NaN or an infinity, not an exception.
"""

from dataclasses import dataclass

import numpy as np

from .bootstrap import Array, Statistic
from .libraries import library


@dataclass(frozen=True)
class RegressionMetric:
    """How a metric is made from numbers.

    Attributes:
        function: from predicted numbers and targets, `[rows, n]` each, to `[n]`.
        log: taken on sign(x) * log10(|x| + 1) of both, so that large numbers do not drown the rest.
        nonzero: rows with target 0 are left out.
        per_row: a mean or median of an error per row, or R2: a missing answer can be charged as a bad one.
    """

    function: Statistic
    log: bool = False
    nonzero: bool = False
    per_row: bool = True


def signed_log(values: Array) -> Array:
    """sign(x) * log10(|x| + 1)."""
    return np.asarray(np.sign(values) * np.log10(np.abs(values) + 1))


def mae(predicted: Array, targets: Array) -> Array:
    """Mean absolute error."""
    return _sklearn("mean_absolute_error", predicted, targets)


def mse(predicted: Array, targets: Array) -> Array:
    """Mean squared error."""
    return _sklearn("mean_squared_error", predicted, targets)


def rmse(predicted: Array, targets: Array) -> Array:
    """Root of the mean squared error, in the targets' unit."""
    return np.sqrt(mse(predicted, targets))


def median_ae(predicted: Array, targets: Array) -> Array:
    """Median absolute error."""
    return _sklearn("median_absolute_error", predicted, targets)


def r2(predicted: Array, targets: Array) -> Array:
    """Coefficient of determination; undefined for fewer than two rows and for constant targets."""
    if len(targets) < 2:
        return np.full(targets.shape[1], np.nan)
    # R2 does not change when both are scaled; without it the squares of 1e200 overflow.
    scale = np.abs(targets).max(axis=0)
    scale[scale == 0] = 1
    return _sklearn("r2_score", predicted / scale, targets / scale, force_finite=False)


def mape(predicted: Array, targets: Array) -> Array:
    """Mean of |predicted - target| / |target|, a fraction: 0.1 is 10 percent."""
    # Not scikit-learn's: that one divides by 2e-16 where a target is smaller.
    return np.asarray(np.mean(np.abs(predicted - targets) / np.abs(targets), axis=0))


def pearson(predicted: Array, targets: Array) -> Array:
    """Correlation; undefined for fewer than two rows and where one side is constant."""
    if len(targets) < 2:
        return np.full(targets.shape[1], np.nan)
    return np.asarray(library("scipy.stats").pearsonr(predicted, targets, axis=0).statistic)


def spearman(predicted: Array, targets: Array) -> Array:
    """Correlation of the ranks, ties at their mean rank."""
    rank = library("scipy.stats").rankdata
    # `spearmanr` would correlate every column with every other.
    return pearson(rank(predicted, axis=0), rank(targets, axis=0))


REGRESSION_METRICS = {
    "mae": RegressionMetric(mae),
    "mse": RegressionMetric(mse),
    "rmse": RegressionMetric(rmse),
    "r2": RegressionMetric(r2),
    "median_ae": RegressionMetric(median_ae),
    "log_mae": RegressionMetric(mae, log=True),
    "log_r2": RegressionMetric(r2, log=True),
    "mape": RegressionMetric(mape, nonzero=True),
    "pearson": RegressionMetric(pearson, per_row=False),
    "spearman": RegressionMetric(spearman, per_row=False),
}


def _sklearn(name: str, predicted: Array, targets: Array, **options: bool) -> Array:
    function = getattr(library("sklearn.metrics"), name)
    # Inputs are finite; what overflows on the way becomes NaN later instead of an exception here.
    with library("sklearn").config_context(assume_finite=True):
        return np.asarray(function(targets, predicted, multioutput="raw_values", **options))
