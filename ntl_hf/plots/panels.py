"""The one style of all pictures: a palette, panels without a frame, and a legend beside them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Okabe and Ito's colours for all kinds of sight, without the yellow, which is too light for lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = "osD^vP*"
LINES = ("-", "--", "-.", ":")
_PANEL = (4.6, 3.2)
_LEGEND_WIDTH, _LEGEND_LINE = 2.2, 0.24


def color(line: int) -> str:
    """The colour of a line by its number: black for the first, which the others are compared with."""
    return "black" if line == 0 else COLORS[(line - 1) % len(COLORS)]


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


def make_grid(count: int) -> tuple[Any, Any, list[Any]]:
    """A figure with two columns at most, its panels, and of these the first so many; the others are not seen."""
    columns = min(2, count)
    figure, panels = make_figure(-(-count // columns), columns)
    for panel in panels.flat[count:]:
        panel.set_visible(False)
    return figure, panels, list(panels.flat[:count])


def draw_columns(
    columns: Mapping[str, Callable[[Any], None]],
    rows: Sequence[str],
    xlabel: str,
    note: str,
    heights: Sequence[float] | None = None,
    **shared: Any,
) -> Any:
    """A figure with a column for each of several sets, all with the same axes.

    Args:
        columns: title of a column to what draws into its panels.
        rows: labels of the vertical axes.
        xlabel: of the horizontal axes.
        note: below all.
        heights: of the rows, as shares.
        shared: `sharex` and `sharey`.

    Returns:
        The figure, or None without columns.
    """
    if not columns:
        return None
    figure, panels = make_figure(len(rows), len(columns), heights, **shared)
    for column, (title, draw) in zip(panels.T, columns.items(), strict=True):
        draw(column)
        column[0].set_title(title)
        column[-1].set_xlabel(xlabel)
    for panel, label in zip(panels[:, 0], rows, strict=True):
        panel.set_ylabel(label)
    add_legend(figure, panels, note)
    return figure


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
