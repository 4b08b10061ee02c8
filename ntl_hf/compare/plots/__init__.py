"""The pictures of a comparison, one file each; they need matplotlib, the extra `plots`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
