"""The best scores that anybody can expect on `readings` and `ratings`, whose noise is known.

python examples/best_scores.py
"""

import math
from collections.abc import Iterable
from functools import partial

import numpy as np

from ntl_hf.data import make_ratings, make_readings, ratings, readings
from ntl_hf.data.generated import RoundedGaussian


def best_scores(noise: RoundedGaussian, values: Iterable[float]) -> dict[str, float]:
    """Expected scores of a model that knows the noise-free values and the noise: nobody's are better, but for luck.

    Each score is of the answer that is best for it: the most likely number (`number_accuracy`), the median (`mae`),
    the conditional mean, which need not be whole (`mse`, `rmse`, `r2`, `pearson`).

    Args:
        noise: which makes the numbers, of an `sd` above 0.
        values: the noise-free values of the rows.

    Returns:
        Scores by the names that an evaluation gives them, over infinitely many draws of the noise, and `nats`, the
        entropy of an answer; `r2` and `pearson` are NaN where all numbers are sure to be the same.

    Raises:
        ValueError: there are no values, or one is None, NaN or infinite.
    """
    # None becomes NaN.
    known = np.array(list(values), dtype=float)
    if not known.size or not np.isfinite(known).all():
        raise ValueError("`values` needs finite numbers, at least one: the noise-free values of the rows.")
    # Rows share noise-free values.
    unique, counts = np.unique(known, return_counts=True)
    average = partial(np.average, weights=counts)
    numbers = np.arange(noise.lowest, noise.highest + 1)
    likely = np.array([noise.probabilities(value) for value in unique.tolist()])  # [values, numbers]
    means = likely @ numbers
    # Without clipping it would be exactly this; with it too, as the noise-free value is the noise's median.
    medians = np.clip(np.round(unique), noise.lowest, noise.highest)
    mse = average(np.sum(likely * (numbers - means[:, None]) ** 2, axis=1))
    explained = average((means - average(means)) ** 2)
    r2 = explained / (explained + mse) if explained + mse else math.nan
    entropies = -np.sum(likely * np.log(likely, where=likely > 0, out=np.zeros_like(likely)), axis=1)
    scores = {
        "number_accuracy": average(likely.max(axis=1)),
        "mae": average(np.sum(likely * np.abs(numbers - medians[:, None]), axis=1)),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": r2,
        "pearson": math.sqrt(r2),
        "nats": average(entropies),
    }
    return {name: float(score) for name, score in scores.items()}


if __name__ == "__main__":
    for noise, rows in ((readings.NOISE, make_readings("test")), (ratings.NOISE, make_ratings("test"))):
        print(best_scores(noise, rows["mean"]))
