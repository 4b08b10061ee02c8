"""Error against the number's size: right answers and median absolute error in bins of the target."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evaluation.number_metrics import is_right
from ...plots.panels import add_legend, make_figure
from ..plan import Plan
from ..results import Floats, Result, Rows
from .style import draw_seeds, looks, percent_axis

_FINE, _COARSE = 0.5, 1.0
_MOST_FINE = 3.0  # orders of magnitude, up to which bins are half of one wide


def draw(plan: Plan, results: Sequence[Result]) -> Any:
    """A figure with a column an evaluation, or None where no row has a number."""
    names = [name for name in plan.evaluations if any(_size(result.evaluations[name].rows).size for result in results)]
    if not names:
        return None
    figure, panels = make_figure(3, len(names), heights=(1, 1, 0.45), sharex="col")
    for column, name in enumerate(names):
        _draw_column(panels[:, column], plan, results, name)
        panels[0][column].set_title(name)
        panels[-1][column].set_xlabel("log10(|true number| + 1)")
    for row, label in enumerate(("Right numbers (%)", "Median |error|", "Rows")):
        panels[row][0].set_ylabel(label)
    add_legend(figure, panels, "Mean over seeds, and their range. An unreadable answer is an infinite error.")
    return figure


def bins(size: Floats) -> Floats:
    """Edges of the bins of log10(|target| + 1): half an order of magnitude wide, or one where there are many."""
    width = _FINE if size.max() <= _MOST_FINE else _COARSE
    return np.arange(0, np.floor(size.max() / width) + 2) * width


def in_bins(rows: Rows, edges: Floats) -> tuple[Floats, Floats]:
    """Share of right numbers and median absolute error in each bin; NaN where it is empty or most are unreadable."""
    known = ~np.isnan(rows.target)
    number, target = rows.number[known], rows.target[known]
    errors = np.nan_to_num(np.abs(number - target), nan=np.inf)
    place = np.digitize(_size(rows), edges) - 1
    groups = [place == i for i in range(len(edges) - 1)]
    right = is_right(number, target)
    shares = [right[group].mean() if group.any() else np.nan for group in groups]
    medians = [np.median(errors[group]) if group.any() else np.nan for group in groups]
    return np.array(shares), np.where(np.isfinite(medians), medians, np.nan)


def _size(rows: Rows) -> Floats:
    return np.log10(np.abs(rows.target[~np.isnan(rows.target)]) + 1)


def _draw_column(panels: Any, plan: Plan, results: Sequence[Result], name: str) -> None:
    size = _size(results[0].evaluations[name].rows)
    edges = bins(size)
    centres = (edges[:-1] + edges[1:]) / 2
    for variant, look in looks(plan).items():
        scores = [in_bins(result.evaluations[name].rows, edges) for result in results if result.variant == variant]
        if scores:
            draw_seeds(panels[0], centres, [100 * right for right, _ in scores], variant, look)
            draw_seeds(panels[1], centres, [median for _, median in scores], variant, look)
    percent_axis(panels[0])
    with warnings.catch_warnings():
        # Without any error above 0 there is nothing to scale.
        warnings.simplefilter("ignore")
        panels[1].set_yscale("symlog", linthresh=1)
    panels[1].set_ylim(bottom=0)
    panels[2].bar(centres, np.histogram(size, edges)[0], width=0.8 * (edges[1] - edges[0]), color="0.7")
