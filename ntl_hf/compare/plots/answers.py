"""Errors of the answers, by the size of the number and by the position of the digit."""

import warnings
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ...evaluation.number_metrics import is_right
from ...plots.panels import draw_columns
from ..plan import Plan
from ..results import Floats, Result, Rows
from . import draw_variants, percent_axis

_FINE, _COARSE = 0.5, 1.0
_MOST_FINE = 3.0  # orders of magnitude, up to which bins are half of one wide


def draw_by_size(plan: Plan, results: Sequence[Result]) -> Any:
    """Right answers and median absolute error in bins of the target.

    Returns:
        A figure with a column an evaluation, or None where no row has a number.
    """
    sizes = {name: _size(results[0].evaluations[name].rows) for name in plan.evaluations}
    columns = {name: partial(_draw_bins, plan, results, name, size) for name, size in sizes.items() if size.size}
    note = "Mean over seeds, and their range. An unreadable answer is an infinite error."
    rows = ("Right numbers (%)", "Median |error|", "Rows")
    return draw_columns(columns, rows, "log10(|true number| + 1)", note, heights=(1, 1, 0.45), sharex="col")


def bins(size: Floats) -> Floats:
    """Edges of the bins of log10(|target| + 1): half an order of magnitude wide, or one where there are many."""
    width = _FINE if size.max() <= _MOST_FINE else _COARSE
    return np.arange(0, np.floor(size.max() / width) + 2) * width


def in_bins(rows: Rows, edges: Floats) -> tuple[Floats, Floats]:
    """Share of right numbers and median absolute error in each bin; NaN where it is empty or most are unreadable."""
    known = ~np.isnan(rows.target)
    number, target = rows.number[known], rows.target[known]
    errors = np.nan_to_num(np.abs(number - target), nan=np.inf)
    found = pd.DataFrame({"right": is_right(number, target), "error": errors})
    groups = found.groupby(np.digitize(_size(rows), edges) - 1).agg({"right": "mean", "error": "median"})
    shares, medians = groups.reindex(range(len(edges) - 1)).to_numpy(float).T
    return shares, np.where(np.isfinite(medians), medians, np.nan)


def draw_by_position(plan: Plan, results: Sequence[Result]) -> Any:
    """How often the digit at each power of ten is right, aligned at the units.

    Returns:
        A figure with a column an evaluation, or None where no row has a number.
    """
    counts = {name: digit_counts(results[0].evaluations[name].rows) for name in plan.evaluations}
    columns = {name: partial(_draw_places, plan, results, name, count) for name, count in counts.items() if len(count)}
    note = "Mean over seeds, and their range. Digits before the point, without sign; missing and unreadable are wrong."
    rows = ("Right digits (%)", "Rows")
    return draw_columns(columns, rows, "Power of ten (0: units)", note, heights=(1, 0.45), sharex="col")


def digit_counts(rows: Rows) -> Floats:
    """How many targets have a digit at each power of ten, from the units on."""
    lengths = [len(_digits(target)) for target in rows.target if not np.isnan(target)]
    return np.array(
        [sum(length > place for length in lengths) for place in range(max(lengths, default=0))], dtype=float
    )


def digit_accuracy(rows: Rows, counts: Floats) -> Floats:
    """Share of right digits at each power of ten, of the targets that have one there."""
    right = np.zeros(len(counts))
    for target, number in zip(rows.target, rows.number, strict=True):
        if not np.isnan(target) and not np.isnan(number):
            pairs = zip(reversed(_digits(target)), reversed(_digits(number)), strict=False)
            for place, (true, given) in enumerate(pairs):
                right[place] += true == given
    return right / counts


def _digits(value: float) -> str:
    """Of the whole part: "105" of -105.5. Exact, where `int` of a float would show digits that it does not hold."""
    return format(abs(Decimal(repr(float(value)))), "f").partition(".")[0]


def _size(rows: Rows) -> Floats:
    return np.log10(np.abs(rows.target[~np.isnan(rows.target)]) + 1)


def _draw_bins(plan: Plan, results: Sequence[Result], name: str, sizes: Floats, panels: Sequence[Any]) -> None:
    edges = bins(sizes)
    centres = (edges[:-1] + edges[1:]) / 2

    def scores(result: Result) -> tuple[Floats, Floats]:
        return in_bins(result.evaluations[name].rows, edges)

    draw_variants(panels[0], plan, results, centres, lambda result: 100 * scores(result)[0])
    draw_variants(panels[1], plan, results, centres, lambda result: scores(result)[1])
    panels[2].bar(centres, np.histogram(sizes, edges)[0], width=0.8 * (edges[1] - edges[0]), color="0.7")
    percent_axis(panels[0])
    with warnings.catch_warnings():
        # Without any error above 0 there is nothing to scale.
        warnings.simplefilter("ignore")
        panels[1].set_yscale("symlog", linthresh=1)
    panels[1].set_ylim(bottom=0)


def _draw_places(plan: Plan, results: Sequence[Result], name: str, counts: Floats, panels: Sequence[Any]) -> None:
    def accuracy(result: Result) -> Floats:
        return 100 * digit_accuracy(result.evaluations[name].rows, counts)

    places = np.arange(len(counts))
    draw_variants(panels[0], plan, results, places, accuracy)
    percent_axis(panels[0])
    panels[1].bar(places, counts, color="0.7")
    # The most significant digit to the left, as it is written.
    panels[0].invert_xaxis()
    panels[1].set_xticks(places)
