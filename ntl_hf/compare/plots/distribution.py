"""The predicted distribution of a digit around the true one, teacher-forced."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...plots.panels import add_legend, make_figure
from ..plan import Plan
from ..results import Result
from .style import draw_seeds, looks


def draw(plan: Plan, results: Sequence[Result]) -> Any:
    """A figure with a column an evaluation, or None where no evaluation has recorded one."""
    names = [name for name in plan.evaluations if any(result.evaluations[name].distribution for result in results)]
    if not names:
        return None
    figure, panels = make_figure(1, len(names), sharey=True)
    for panel, name in zip(panels[0], names, strict=True):
        _draw_panel(panel, plan, results, name)
        panel.set(title=name, xlabel="Predicted value - true value of a digit", yscale="log", xticks=range(-9, 10, 3))
    panels[0][0].set_ylabel("Mean probability")
    add_legend(figure, panels, "Mean over seeds, and their range, of the model's probabilities where a digit is due")
    return figure


def _draw_panel(panel: Any, plan: Plan, results: Sequence[Result], name: str) -> None:
    for variant, look in looks(plan).items():
        found = [result.evaluations[name].distribution for result in results if result.variant == variant]
        curves = [each for each in found if each is not None]
        if curves:
            # A logarithm knows no 0.
            values = [np.where(np.array(each["probability"]) > 0, each["probability"], np.nan) for each in curves]
            draw_seeds(panel, curves[0]["offset"], values, variant, look)
