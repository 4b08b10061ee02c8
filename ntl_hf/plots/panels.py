"""What all pictures have in common: panels without a frame, and a legend beside them."""

from collections.abc import Sequence
from typing import Any

_PANEL = (4.6, 3.2)
_LEGEND_WIDTH, _LEGEND_LINE = 2.2, 0.24


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
    """Name everything that is drawn, beside the panels, and say below what is shown."""
    labelled: dict[str, Any] = {}
    for panel in panels.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            labelled.setdefault(label, handle)
    # The legend is higher than the panels where there are many variants.
    figure.set_figheight(max(figure.get_figheight(), _LEGEND_LINE * len(labelled) + 0.6))
    figure.legend(labelled.values(), labelled.keys(), loc="outside right upper", frameon=False, handlelength=3)
    figure.align_ylabels()
    figure.supxlabel(note, fontsize="small", color="0.35")
