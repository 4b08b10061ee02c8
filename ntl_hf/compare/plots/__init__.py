"""The pictures of a comparison, in one look for each variant; they need matplotlib, the extra `plots`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...plots.panels import COLORS, LINES, MARKERS
from ..plan import Plan
from ..results import Result


def save_plots(folder: Path, plan: Plan, results: Sequence[Result]) -> dict[str, Path]:
    """Draw all pictures for which there is something to show, and return title and path of each."""
    from . import answers, curves

    drawers: dict[str, tuple[str, Callable[[Plan, Sequence[Result]], Any]]] = {
        "Learning curves": ("learning_curves", curves.draw_learning),
        "Error against the size of the number": ("error_by_size", answers.draw_by_size),
        "Right digits by position": ("digits_by_position", answers.draw_by_position),
        "Predicted digits around the true one": ("digit_distribution", curves.draw_distribution),
        "Error against likelihood": ("error_and_likelihood", curves.draw_trade_off),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for title, (name, draw) in drawers.items():
        figure = draw(plan, results)
        if figure is not None:
            paths[title] = folder / f"{name}.png"
            figure.savefig(paths[title], dpi=120)
    return paths


def looks(plan: Plan) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each variant, no two alike."""
    styles: dict[str, dict[str, Any]] = {}
    for i, variant in enumerate(plan.others):
        line = LINES[i // len(COLORS) % len(LINES)]
        styles[variant] = {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)], "ls": line}
    styles[plan.baseline] = {"color": "black", "marker": "o", "ls": "-", "lw": 2, "zorder": 3}
    return {variant: {"lw": 1.4, "ms": 4, **styles[variant]} for variant in plan.variants}


def draw_variants(
    panel: Any, plan: Plan, results: Sequence[Result], x: ArrayLike, curve: Callable[[Result], ArrayLike | None]
) -> None:
    """A line a variant with a point for each of `x`: what `curve` gives of its cells, unless that is None."""
    for variant, look in looks(plan).items():
        curves = [curve(result) for result in results if result.variant == variant]
        draw_seeds(panel, x, [each for each in curves if each is not None], variant, look)


def draw_seeds(panel: Any, x: ArrayLike, curves: Sequence[ArrayLike], label: str, look: dict[str, Any]) -> None:
    """The mean over seeds, and the range from the lowest to the highest; nothing of no seed."""
    if not curves:
        return
    stacked = np.array(curves, dtype=float)
    panel.plot(x, stacked.mean(axis=0), label=label, **look)
    if len(stacked) > 1:
        panel.fill_between(x, stacked.min(axis=0), stacked.max(axis=0), color=look["color"], alpha=0.12, lw=0)


def percent_axis(panel: Any) -> None:
    """Not a thousandth of a percent from end to end where all are the same."""
    low, high = panel.get_ylim()
    panel.set_ylim(max(low, -1), max(high, 5))
