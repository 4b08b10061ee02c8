"""The three pictures of an evaluation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .beliefs import DigitBeliefs, Floats
from .panels import COLORS, make_figure

_GREY = "0.7"
# Cells above this are light enough for black text.
_LIGHT = 0.6
_LEAST_SHOWN = 0.005


def draw_confusion(beliefs: DigitBeliefs) -> Any:
    """A heat map: the mean predicted distribution over digits, a row a true digit."""
    figure, [[panel]] = make_figure(1, 1)
    figure.set_size_inches(6.8, 5.6)
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
    return _titled(figure, beliefs)


def draw_calibration(beliefs: DigitBeliefs) -> Any:
    """The mean true digit against the expected value, in bins around each digit."""
    figure, panels = _two_panels()
    panels[0].plot([0, 9], [0, 9], color="black", ls="--", lw=1, label="calibrated")
    # Without the empty bins, so that the line goes on.
    known = ~np.isnan(beliefs.bin_expected)
    line = (beliefs.bin_expected[known], beliefs.bin_true[known])
    panels[0].plot(*line, color=COLORS[0], marker="o", ms=5, label="model")
    panels[0].set(ylabel="Mean true digit", ylim=(-0.4, 9.4), yticks=range(10))
    panels[0].legend(frameon=False, loc="upper left")
    panels[1].bar(range(10), beliefs.bin_count, color=_GREY)
    panels[1].set(xlabel="Expected value of the digit (bins of width 1)", xticks=range(10), xlim=(-0.6, 9.6))
    return _with_counts(figure, panels, beliefs, beliefs.bin_count)


def draw_positions(beliefs: DigitBeliefs) -> Any:
    """The mean error of the expected value, by the digit's position in its number."""
    figure, panels = _two_panels()
    length = max(np.flatnonzero(beliefs.position_count), default=0) + 1
    last = len(beliefs.position_count)
    places = [str(place) if place < last else f"{place}+" for place in range(1, length + 1)]
    panels[0].bar(range(length), np.nan_to_num(beliefs.position_error[:length]), color=COLORS[1])
    panels[0].set(ylabel="Mean |expected value - true digit|", ylim=(0, None))
    panels[1].bar(range(length), beliefs.position_count[:length], color=_GREY)
    panels[1].set(xlabel="Position of the digit in its number, in number tokens from the left")
    panels[1].set_xticks(range(length), places)
    return _with_counts(figure, panels, beliefs, beliefs.position_count[:length])


DRAWERS: dict[str, Callable[[DigitBeliefs], Any]] = {
    "confusion": draw_confusion,
    "calibration": draw_calibration,
    "position": draw_positions,
}


def _two_panels() -> tuple[Any, Any]:
    figure, panels = make_figure(2, 1, heights=(1, 0.4), sharex=True)
    figure.set_size_inches(5.6, 5.4)
    for panel in panels[:, 0]:
        panel.set_axisbelow(True)
    return figure, panels[:, 0]


def _with_counts(figure: Any, panels: Any, beliefs: DigitBeliefs, counts: Floats) -> Any:
    panels[1].set_ylabel("Digits")
    panels[1].margins(y=0.25)
    for x, count in enumerate(counts):
        panels[1].annotate(
            _short(count), (x, count), xytext=(0, 2), textcoords="offset points", ha="center", fontsize="small"
        )
    figure.align_ylabels()
    return _titled(figure, beliefs)


def _titled(figure: Any, beliefs: DigitBeliefs) -> Any:
    name = beliefs.prefix.replace("$", r"\$")  # no formula of matplotlib
    figure.suptitle(f"{name}, step {beliefs.step:,}: {int(beliefs.count.sum()):,} digits", fontsize="medium")
    return figure


def _short(count: float) -> str:
    """1234 as 1,234 and 1234567 as 1.2M, which fits below a bar."""
    return f"{int(count):,}" if count < 1e5 else f"{count / 1e3:.0f}k" if count < 1e6 else f"{count / 1e6:.1f}M"
