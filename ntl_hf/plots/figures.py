"""The three pictures of an evaluation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .beliefs import DigitBeliefs, Floats
from .panels import COLORS, make_figure

# Cells above this are light enough for black text.
_LIGHT = 0.6
_LEAST_SHOWN = 0.005


def draw_confusion(beliefs: DigitBeliefs) -> Any:
    """A heat map: the mean predicted distribution over digits, a row a true digit."""
    figure, [[panel]] = _titled(beliefs, (6.8, 5.6), 1, 1)
    panel.grid(False)
    image = panel.imshow(beliefs.distribution, vmin=0, vmax=1, cmap="cividis")
    for (row, column), value in np.ndenumerate(beliefs.distribution):
        if value >= _LEAST_SHOWN:
            color = "black" if value > _LIGHT else "white"
            panel.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=color, fontsize="small")
    labels = [f"{digit} (n={_short(count)})" for digit, count in enumerate(beliefs.count)]
    panel.set_yticks(range(10), labels)
    panel.set(xlabel="Predicted digit", ylabel="True digit", xticks=range(10))
    panel.set_title("Mean probability of each digit (%)", fontsize="medium")
    figure.colorbar(image, ax=panel, label="Mean probability among digits", shrink=0.85)
    return figure


def draw_calibration(beliefs: DigitBeliefs) -> Any:
    """The mean true digit against the expected value, in bins around each digit."""
    figure, panels = _with_counts(beliefs, beliefs.bin_count)
    panels[0].plot([0, 9], [0, 9], color="black", ls="--", lw=1, label="calibrated")
    # Without the empty bins, so that the line goes on.
    known = ~np.isnan(beliefs.bin_expected)
    line = (beliefs.bin_expected[known], beliefs.bin_true[known])
    panels[0].plot(*line, color=COLORS[0], marker="o", ms=5, label="model")
    panels[0].set(ylabel="Mean true digit", ylim=(-0.4, 9.4), yticks=range(10))
    panels[0].legend(frameon=False, loc="upper left")
    panels[1].set(xlabel="Expected value of the digit (bins of width 1)", xticks=range(10), xlim=(-0.6, 9.6))
    return figure


def draw_positions(beliefs: DigitBeliefs) -> Any:
    """The mean error of the expected value, by the digit's position in its number."""
    length = max(np.flatnonzero(beliefs.position_count), default=0) + 1
    figure, panels = _with_counts(beliefs, beliefs.position_count[:length])
    last = len(beliefs.position_count)
    places = [str(place) if place < last else f"{place}+" for place in range(1, length + 1)]
    panels[0].bar(range(length), np.nan_to_num(beliefs.position_error[:length]), color=COLORS[1])
    panels[0].set(ylabel="Mean |expected value - true digit|", ylim=(0, None))
    panels[1].set(xlabel="Position of the digit in its number, in number tokens from the left")
    panels[1].set_xticks(range(length), places)
    return figure


DRAWERS: dict[str, Callable[[DigitBeliefs], Any]] = {
    "confusion": draw_confusion,
    "calibration": draw_calibration,
    "position": draw_positions,
}


def _with_counts(beliefs: DigitBeliefs, counts: Floats) -> tuple[Any, Any]:
    """A figure and its two panels: one to draw in, and below it how many digits there are of each kind."""
    figure, panels = _titled(beliefs, (5.6, 5.4), 2, 1, heights=(1, 0.4), sharex=True)
    panels = panels[:, 0]
    for panel in panels:
        panel.set_axisbelow(True)
    bars = panels[1].bar(range(len(counts)), counts, color="0.7")
    panels[1].bar_label(bars, [_short(count) for count in counts], padding=2, fontsize="small")
    panels[1].set_ylabel("Digits")
    panels[1].margins(y=0.25)
    figure.align_ylabels()
    return figure, panels


def _titled(
    beliefs: DigitBeliefs, inches: tuple[float, float], rows: int, columns: int, **kwargs: Any
) -> tuple[Any, Any]:
    figure, panels = make_figure(rows, columns, **kwargs)
    figure.set_size_inches(inches)
    name = beliefs.prefix.replace("$", r"\$")  # no formula of matplotlib
    figure.suptitle(f"{name}, step {beliefs.step:,}: {int(beliefs.count.sum()):,} digits", fontsize="medium")
    return figure, panels


def _short(count: float) -> str:
    """1234 as 1,234 and 1234567 as 1.2M, which fits below a bar."""
    return f"{int(count):,}" if count < 1e5 else f"{count / 1e3:.0f}k" if count < 1e6 else f"{count / 1e6:.1f}M"
