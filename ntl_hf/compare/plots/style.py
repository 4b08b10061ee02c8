"""What the pictures have in common: one look for each variant, and the legend beside the panels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..plan import Plan

# Okabe and Ito's colours for all kinds of sight, without the yellow, which is too light for lines. Black is the
# baseline's.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "osD^vP*"
_LINES = ("-", "--", ":", "-.")
_PANEL = (4.6, 3.2)
_LEGEND_WIDTH, _LEGEND_LINE = 2.2, 0.24


def looks(plan: Plan) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each variant, no two alike."""
    styles = {plan.baseline: {"color": "black", "marker": "o", "ls": "-", "lw": 2, "zorder": 3}}
    for i, variant in enumerate(plan.others):
        line = _LINES[i // len(_COLORS) % len(_LINES)]
        styles[variant] = {"color": _COLORS[i % len(_COLORS)], "marker": _MARKERS[i % len(_MARKERS)], "ls": line}
    return {variant: {"lw": 1.4, "ms": 4, **styles[variant]} for variant in plan.variants}


def make_figure(rows: int, columns: int, heights: Sequence[float] | None = None, **kwargs: Any) -> tuple[Any, Any]:
    """A figure and its panels, `[rows][columns]`, with room for a legend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not `pyplot`, which would choose a backend for the whole process.
    height = sum(heights or [1] * rows)
    figure = Figure(figsize=(_PANEL[0] * columns + _LEGEND_WIDTH, _PANEL[1] * height + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}, **kwargs)
    for panel in panels.flat:
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def add_legend(figure: Any, panels: Any, note: str) -> None:
    """Name every variant that is drawn, beside the panels, and say below what is shown."""
    labelled: dict[str, Any] = {}
    for panel in panels.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            labelled.setdefault(label, handle)
    # The legend is higher than the panels where there are many variants.
    figure.set_figheight(max(figure.get_figheight(), _LEGEND_LINE * len(labelled) + 0.6))
    figure.legend(labelled.values(), labelled.keys(), loc="outside right upper", frameon=False, handlelength=3)
    figure.align_ylabels()
    figure.supxlabel(note, fontsize="small", color="0.35")


def percent_axis(panel: Any) -> None:
    """Not a thousandth of a percent from end to end where all are the same."""
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, -1), max(high, 5))


def draw_seeds(panel: Any, x: ArrayLike, curves: Sequence[ArrayLike], label: str, look: dict[str, Any]) -> None:
    """The mean over seeds, and the range from the lowest to the highest."""
    stacked = np.array(curves, dtype=float)
    panel.plot(x, stacked.mean(axis=0), label=label, **look)
    if len(stacked) > 1:
        panel.fill_between(x, stacked.min(axis=0), stacked.max(axis=0), color=look["color"], alpha=0.12, lw=0)
